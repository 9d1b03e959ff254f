package graph

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/ops"
)

// Layer is what a graph knows of one layer after it was built.
type Layer struct {
	Path  string         // "layer1.0.conv1"
	Kind  string         // "conv2d"
	In    []tensor.Shape // shapes of the inputs
	Shape tensor.Shape   // shape of the result
	Own   int            // parameters made by this layer itself, not by layers inside it
	Stats int            // elements of its running statistics
	MACs  int64          // multiply-adds of its convolutions and matrix products, for the whole batch
	Inner int            // layers inside it, at any depth; they follow it in the list
}

func (l *Layer) finish(g *Graph, index int, in []*Node, out *Node, firstNode, firstVar int) {
	l.Inner = len(g.layers) - index - 1
	l.Shape = out.Shape()
	for _, n := range in {
		l.In = append(l.In, n.Shape())
	}
	for _, n := range g.expr.AllNodes()[firstNode:] {
		if k, ok := g.layerOf[n]; ok && k == index {
			l.MACs += ops.MultiplyAdds(n)
		}
	}
	for _, v := range g.used[firstVar:] {
		if parent(v.Name) != l.Path {
			continue
		}
		if n := v.Value.Shape().TotalSize(); v.Role == Parameter {
			l.Own += n
		} else {
			l.Stats += n
		}
	}
}

func parent(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i]
	}
	return ""
}

// Layers lists the layers in the order in which they were opened: a layer comes before those inside it.
func (g *Graph) Layers() []Layer { return append([]Layer(nil), g.layers...) }

// Total is what the layers of a graph add up to.
type Total struct {
	Parameters int   // trained or frozen
	Trainable  int   // of these, not frozen
	Statistics int   // elements of running statistics
	MACs       int64 // multiply-adds of convolutions and matrix products, for the whole batch
}

// Total adds up what the graph uses.
func (g *Graph) Total() Total {
	var t Total
	for _, v := range g.used {
		n := v.Value.Shape().TotalSize()
		if v.Role == Statistic {
			t.Statistics += n
			continue
		}
		t.Parameters += n
		if v.Trainable() {
			t.Trainable += n
		}
	}
	for _, l := range g.layers {
		t.MACs += l.MACs
	}
	return t
}

// Summary prints a table of the layers that do something: name, kind, output shape, parameters, multiply-adds.
func (g *Graph) Summary(w io.Writer) error {
	if err := g.Err(); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "layer\tkind\toutput\tparameters\tmultiply-adds")
	for _, l := range g.layers {
		if l.Inner > 0 && l.Own == 0 {
			continue // a block: its rows follow
		}
		fmt.Fprintf(tw, "%s\t%s\t%v\t%s\t%s\n", l.Path, l.Kind, l.Shape, count(int64(l.Own)), count(l.MACs))
	}
	t := g.Total()
	fmt.Fprintf(tw, "total\t\t\t%s\t%s\n", count(int64(t.Parameters)), count(t.MACs))
	if err := tw.Flush(); err != nil {
		return errors.Wrap(err, "summary")
	}
	_, err := fmt.Fprintf(w, "%s trainable, %s frozen, %s running statistics\n",
		count(int64(t.Trainable)), count(int64(t.Parameters-t.Trainable)), count(int64(t.Statistics)))
	return errors.Wrap(err, "summary")
}

// count writes 1234567 as 1,234,567.
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
