package graph

import (
	"fmt"
	"io"
	"sort"
	"text/tabwriter"
	"time"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// profile adds up the time that each instruction takes. A nil profile measures nothing. The first run, in which
// memory is touched for the first time, counts only until there is a second.
type profile struct {
	took []time.Duration
	runs []int // as many as took adds up
	warm []bool
}

func newProfile(instrs int) *profile {
	return &profile{took: make([]time.Duration, instrs), runs: make([]int, instrs), warm: make([]bool, instrs)}
}

func (p *profile) start() time.Time {
	if p == nil {
		return time.Time{}
	}
	return time.Now()
}

func (p *profile) stop(k int, start time.Time) {
	if p == nil {
		return
	}
	took := time.Since(start)
	if p.runs[k] == 1 && !p.warm[k] {
		p.took[k], p.runs[k], p.warm[k] = 0, 0, true
	}
	p.took[k] += took
	p.runs[k]++
}

// ProfileRow is what one op cost, over one instruction or over all of its kind.
type ProfileRow struct {
	Op    string        // name of the op
	Layer string        // where it stands; empty in a row that adds up a kind of op
	Calls int           // instructions in this row
	Time  time.Duration // mean of one run
	Flops int64         // floating-point operations of one run
	Bytes int64         // read and written, each operand once
}

// Profile is one row an instruction in the order of the program, averaged over the runs so far but
// the first, if there were more.
// It is empty unless the tape was compiled with Options.Profile.
func (t *Tape) Profile() []ProfileRow {
	if t.profile == nil || t.prog == nil {
		return nil
	}
	rows := make([]ProfileRow, len(t.prog.instrs))
	for k, i := range t.prog.instrs {
		r := ProfileRow{Op: i.name(), Layer: i.out.node.Name(), Calls: 1, Flops: i.flops()}
		for _, v := range i.results() {
			r.Bytes += int64(v.bytes())
		}
		for _, v := range i.in {
			r.Bytes += int64(v.bytes())
		}
		if n := t.profile.runs[k]; n > 0 {
			r.Time = t.profile.took[k] / time.Duration(n)
		}
		rows[k] = r
	}
	return rows
}

func (i *instr) flops() int64 {
	c, ok := i.op.(exec.Coster)
	if !ok {
		return 0
	}
	shapes := make([]tensor.Shape, len(i.in))
	for k, v := range i.in {
		shapes[k] = v.shape
	}
	return c.Flops(shapes, i.out.shape)
}

// ByOp adds rows up by kind of op, the dearest first.
func ByOp(rows []ProfileRow) []ProfileRow {
	sums := make(map[string]*ProfileRow)
	var kinds []*ProfileRow
	for _, r := range rows {
		s := sums[r.Op]
		if s == nil {
			s = &ProfileRow{Op: r.Op}
			sums[r.Op] = s
			kinds = append(kinds, s)
		}
		s.Calls += r.Calls
		s.Time += r.Time
		s.Flops += r.Flops
		s.Bytes += r.Bytes
	}
	sort.SliceStable(kinds, func(a, b int) bool { return kinds[a].Time > kinds[b].Time })
	out := make([]ProfileRow, len(kinds))
	for i, k := range kinds {
		out[i] = *k
	}
	return out
}

// WriteProfile prints rows as a table: time, share, arithmetic and memory speed.
func WriteProfile(w io.Writer, rows []ProfileRow) error {
	var total time.Duration
	for _, r := range rows {
		total += r.Time
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "ms\tshare\tcalls\tGFLOP/s\tGB/s\top\tlayer\t")
	for _, r := range rows {
		s := r.Time.Seconds()
		fmt.Fprintf(tw, "%.3f\t%.1f %%\t%d\t%s\t%s\t%s\t%s\t\n", s*1e3, 100*ratio(s, total.Seconds()), r.Calls, rate(r.Flops, s), rate(r.Bytes, s), r.Op, r.Layer)
	}
	fmt.Fprintf(tw, "%.3f\t\t\t\t\ttotal\t\t\n", total.Seconds()*1e3)
	return tw.Flush()
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func rate(n int64, seconds float64) string {
	if n == 0 || seconds == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(n)/seconds/1e9)
}
