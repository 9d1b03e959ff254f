package graph

import (
	"fmt"
	"html"
	"io"
	"sort"
	"strings"

	"github.com/pkg/errors"
)

// box is what a drawing shows as one thing: an input, a layer, or an op that a block does itself.
type box struct {
	title, detail string
	input         bool
	to            []*box
	from          []*box

	rank    int     // row
	x, y    float64 // centre
	virtual bool    // a bend of an edge that crosses rows
}

// boxes contracts the forward graph to its layers.
func (g *Graph) boxes() []*box {
	var all []*box
	of := make(map[*Node]*box)
	byLayer := make(map[int]*box)
	add := func(b *box) *box {
		all = append(all, b)
		return b
	}
	inputs := make(map[*Node]bool)
	for _, n := range g.inputs {
		inputs[n] = true
	}
	for _, n := range g.expr.AllNodes() {
		if inputs[n] {
			of[n] = add(&box{title: strings.TrimPrefix(n.Name(), "input:"), detail: fmt.Sprint(n.Shape()), input: true})
			continue
		}
		index, ok := g.layerOf[n]
		if !ok {
			continue
		}
		l := g.layers[index]
		switch {
		case l.Inner > 0: // an op of a block's own
			of[n] = add(&box{title: n.Op().String(), detail: fmt.Sprint(n.Shape())})
		case byLayer[index] == nil:
			byLayer[index] = add(&box{title: l.Path, detail: fmt.Sprintf("%s %v", l.Kind, l.Shape)})
			fallthrough
		default:
			of[n] = byLayer[index]
		}
		for _, c := range children(n) {
			if from := of[c]; from != nil && from != of[n] {
				connect(from, of[n])
			}
		}
	}
	return all
}

func connect(from, to *box) {
	for _, b := range from.to {
		if b == to {
			return
		}
	}
	from.to = append(from.to, to)
	to.from = append(to.from, from)
}

// WriteDOT draws the layers of the network in Graphviz's language.
func (g *Graph) WriteDOT(w io.Writer) error {
	if err := g.Err(); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("digraph network {\n\tnode [shape=box, fontname=\"sans-serif\", fontsize=10]\n")
	all := g.boxes()
	id := make(map[*box]int)
	for i, x := range all {
		id[x] = i
		style := ""
		if x.input {
			style = ", style=rounded"
		}
		fmt.Fprintf(&b, "\tn%d [label=%q%s]\n", i, x.title+"\n"+x.detail, style)
	}
	for i, x := range all {
		for _, to := range x.to {
			fmt.Fprintf(&b, "\tn%d -> n%d\n", i, id[to])
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return errors.Wrap(err, "drawing")
}

// Sizes of the drawing, in pixels.
const (
	charWidth, lineHeight = 6.2, 14.0
	rowGap, columnGap     = 28.0, 24.0
	boxHeight             = 2*lineHeight + 10
)

func (b *box) width() float64 {
	if b.virtual {
		return 2
	}
	return charWidth*float64(max(len(b.title), len(b.detail))) + 16
}

// WriteSVG draws the layers of the network, inputs on top. It needs no other program.
func (g *Graph) WriteSVG(w io.Writer) error {
	if err := g.Err(); err != nil {
		return err
	}
	all := g.boxes()
	rows := arrange(all)
	width, height := position(rows)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="11">`+"\n", width, height, width, height)
	b.WriteString(`<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#667"/></marker></defs>` + "\n")
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="white"/>`+"\n", width, height)
	for _, row := range rows {
		for _, x := range row {
			if x.virtual {
				continue
			}
			for _, to := range x.to {
				b.WriteString(edge(x, to))
			}
		}
	}
	for _, x := range all {
		fill := "#eef3fb"
		if x.input {
			fill = "#f6efdd"
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="4" fill="%s" stroke="#445"/>`+"\n", x.x-x.width()/2, x.y-boxHeight/2, x.width(), boxHeight, fill)
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x.x, x.y-3, html.EscapeString(x.title))
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="#556">%s</text>`+"\n", x.x, x.y+lineHeight-2, html.EscapeString(x.detail))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return errors.Wrap(err, "drawing")
}

// edge follows the bends from one box to the next real one.
func edge(from, to *box) string {
	var b strings.Builder
	x, y := from.x, from.y+boxHeight/2
	fmt.Fprintf(&b, `<path d="M%.1f,%.1f`, x, y)
	for {
		end := to.y - boxHeight/2
		mid := (y + end) / 2
		fmt.Fprintf(&b, " C%.1f,%.1f %.1f,%.1f %.1f,%.1f", x, mid, to.x, mid, to.x, end)
		if !to.virtual {
			break
		}
		x, y = to.x, to.y+boxHeight/2
		fmt.Fprintf(&b, " L%.1f,%.1f", x, y)
		to = to.to[0]
	}
	b.WriteString(`" fill="none" stroke="#667" marker-end="url(#a)"/>` + "\n")
	return b.String()
}

// arrange puts boxes in rows by their longest path from an input, bends edges that cross rows, and orders each
// row so that edges cross little (Sugiyama, Tagawa and Toda 1981, by barycentres).
func arrange(all []*box) [][]*box {
	for _, b := range all { // inputs come before their users
		for _, f := range b.from {
			b.rank = max(b.rank, f.rank+1)
		}
	}
	var rows [][]*box
	put := func(b *box) {
		for len(rows) <= b.rank {
			rows = append(rows, nil)
		}
		rows[b.rank] = append(rows[b.rank], b)
	}
	for _, b := range all {
		put(b)
		for i, to := range b.to {
			b.to[i] = bend(b, to, put)
		}
	}
	for sweep := range 8 {
		for k := range rows {
			row := rows[k]
			if sweep%2 == 1 {
				row = rows[len(rows)-1-k]
			}
			key := make(map[*box]float64, len(row))
			for i, b := range row {
				near := b.from
				if sweep%2 == 1 {
					near = b.to
				}
				key[b] = mean(near, float64(i))
			}
			sort.SliceStable(row, func(i, j int) bool { return key[row[i]] < key[row[j]] })
			for i, b := range row {
				b.x = float64(i) - float64(len(row)-1)/2
			}
		}
	}
	return rows
}

// bend returns the first bend of an edge that crosses rows, or its end if it crosses none.
func bend(from, to *box, put func(*box)) *box {
	if to.rank <= from.rank+1 {
		return to
	}
	v := &box{virtual: true, rank: from.rank + 1, from: []*box{from}}
	for i, f := range to.from {
		if f == from {
			to.from[i] = v
		}
	}
	put(v)
	v.to = []*box{bend(v, to, put)}
	return v
}

func mean(near []*box, without float64) float64 {
	if len(near) == 0 {
		return without
	}
	s := 0.0
	for _, b := range near {
		s += b.x
	}
	return s / float64(len(near))
}

// position gives every box its place, rows centred, and returns the size of the whole.
func position(rows [][]*box) (width, height float64) {
	for _, row := range rows {
		w := columnGap
		for _, b := range row {
			w += b.width() + columnGap
		}
		width = max(width, w)
	}
	for k, row := range rows {
		total := columnGap * float64(len(row)-1)
		for _, b := range row {
			total += b.width()
		}
		x := (width - total) / 2
		for _, b := range row {
			b.x = x + b.width()/2
			b.y = rowGap + boxHeight/2 + float64(k)*(boxHeight+rowGap)
			x += b.width() + columnGap
		}
	}
	return width, rowGap + float64(len(rows))*(boxHeight+rowGap)
}
