package plot

import (
	"fmt"
	"math"
	"strconv"

	"github.com/pkg/errors"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Series is one curve. Values that are not finite, or not above 0 on a logarithmic axis, leave a gap.
type Series struct {
	Name   string
	Values []float64
	X      []float64 // as many as Values; nil means 1, 2, …
}

// Panel is one diagram.
type Panel struct {
	Title  string
	XLabel string // "" means "epoch"
	LogX   bool
	LogY   bool
	Series []Series
}

const (
	panelWidth  = 6.4 * vg.Inch
	panelHeight = 4 * vg.Inch
	dpi         = 120
)

// Curves draws panels in two columns under a title. The legend of each tells the last value of every series.
func Curves(path, title string, panels ...Panel) error {
	if len(panels) == 0 {
		return errors.New("curves: no panel")
	}
	columns := min(len(panels), 2)
	rows := (len(panels) + columns - 1) / columns
	plots := make([][]*plot.Plot, rows)
	for i := range plots {
		plots[i] = make([]*plot.Plot, columns)
	}
	for i, p := range panels {
		drawn, err := p.plot()
		if err != nil {
			return errors.WithMessagef(err, "curves: panel %q", p.Title)
		}
		plots[i/columns][i%columns] = drawn
	}

	const headline = 0.4 * vg.Inch
	height := panelHeight * vg.Length(rows)
	if title != "" {
		height += headline
	}
	if px := int(height.Points() / 72 * dpi); px > maxSide {
		return errors.Errorf("curves: %d panels make a picture of %d pixels, more than %d", len(panels), px, maxSide)
	}
	img := vgimg.NewWith(vgimg.UseWH(panelWidth*vg.Length(columns), height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(white))
	canvas := draw.New(img)
	if title != "" {
		style := plot.New().Title.TextStyle
		style.Font = sans(15)
		style.Font.Weight = xfont.WeightBold
		style.Color = black
		style.XAlign, style.YAlign = draw.XCenter, draw.YTop
		canvas.FillText(style, vg.Point{X: canvas.Center().X, Y: canvas.Max.Y - 0.12*vg.Inch}, title)
		canvas = draw.Crop(canvas, 0, 0, 0, -headline)
	}
	tiles := draw.Tiles{
		Rows: rows, Cols: columns, PadX: 0.25 * vg.Inch, PadY: 0.25 * vg.Inch,
		PadTop: 0.15 * vg.Inch, PadBottom: 0.15 * vg.Inch, PadLeft: 0.15 * vg.Inch, PadRight: 0.25 * vg.Inch,
	}
	for r, cells := range plot.Align(plots, tiles, canvas) {
		for c, cell := range cells {
			if plots[r][c] != nil {
				plots[r][c].Draw(cell)
			}
		}
	}
	return save(path, img.Image())
}

func (p Panel) plot() (*plot.Plot, error) {
	pl := plot.New()
	p.style(pl)
	area := bounds{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	var all plotter.XYs
	for i, s := range p.Series {
		if s.X != nil && len(s.X) != len(s.Values) {
			return nil, errors.Errorf("series %q has %d values at %d places", s.Name, len(s.Values), len(s.X))
		}
		c := palette[i%len(palette)]
		pieces := p.pieces(s)
		line := plotter.Line{LineStyle: draw.LineStyle{Color: c, Width: vg.Points(1.8)}}
		if i >= len(palette) {
			line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
		}
		few := len(s.Values) <= 40
		for _, piece := range pieces {
			pl.Add(&plotter.Line{XYs: piece, LineStyle: line.LineStyle})
			if few || len(piece) == 1 {
				pl.Add(&plotter.Scatter{XYs: piece, GlyphStyle: draw.GlyphStyle{Color: c, Radius: vg.Points(2.2), Shape: draw.CircleGlyph{}}})
			}
			area.take(piece)
			all = append(all, piece...)
		}
		name := s.Name
		if len(pieces) > 0 {
			last := pieces[len(pieces)-1]
			name += "  " + strconv.FormatFloat(last[len(last)-1].Y, 'g', 4, 64)
		}
		pl.Legend.Add(name, &line)
	}
	area.apply(pl, p)
	pl.Legend.Top, pl.Legend.Left = freeCorner(pl, all)
	pl.Legend.YOffs = vg.Points(8)
	if pl.Legend.Top {
		pl.Legend.YOffs = -vg.Points(4)
	}
	return pl, nil
}

// freeCorner is the corner of a diagram where a legend would hide the fewest points; of equal ones the upper right.
func freeCorner(pl *plot.Plot, points plotter.XYs) (top, left bool) {
	const width, height = 0.42, 0.25 // shares of the diagram
	least := math.MaxInt
	for _, c := range []struct{ top, left bool }{{true, false}, {false, false}, {true, true}, {false, true}} {
		hidden := 0
		for _, p := range points {
			x, y := pl.X.Norm(p.X), pl.Y.Norm(p.Y)
			beside, level := x > 1-width, y < height
			if c.left {
				beside = x < width
			}
			if c.top {
				level = y > 1-height
			}
			if beside && level {
				hidden++
			}
		}
		if hidden < least {
			least, top, left = hidden, c.top, c.left
		}
	}
	return top, left
}

// pieces cuts a series where it has no value to show.
func (p Panel) pieces(s Series) []plotter.XYs {
	var pieces []plotter.XYs
	open := false
	for i, y := range s.Values {
		x := float64(i + 1)
		if s.X != nil {
			x = s.X[i]
		}
		if !drawable(x, p.LogX) || !drawable(y, p.LogY) {
			open = false
			continue
		}
		if !open {
			pieces = append(pieces, nil)
			open = true
		}
		last := len(pieces) - 1
		pieces[last] = append(pieces[last], plotter.XY{X: x, Y: y})
	}
	return pieces
}

// drawable leaves out what has no place on an axis, and what is so large or small that the ends of the axis
// would not be numbers.
func drawable(v float64, log bool) bool {
	return math.Abs(v) < 1e300 && (!log || v > 1e-300)
}

// bounds is the smallest rectangle round all points.
type bounds struct{ minX, maxX, minY, maxY float64 }

func (b *bounds) take(points plotter.XYs) {
	for _, p := range points {
		b.minX, b.maxX = min(b.minX, p.X), max(b.maxX, p.X)
		b.minY, b.maxY = min(b.minY, p.Y), max(b.maxY, p.Y)
	}
}

// apply sets the axes, with room where all points are on one line.
func (b bounds) apply(pl *plot.Plot, p Panel) {
	if b.minX > b.maxX {
		b = bounds{1, 2, 1, 2} // no point at all
	}
	pl.X.Min, pl.X.Max = widen(b.minX, b.maxX, p.LogX, 0)
	pl.Y.Min, pl.Y.Max = widen(b.minY, b.maxY, p.LogY, 0.05)
}

// widen adds a share of the range at both ends.
func widen(lo, hi float64, log bool, share float64) (float64, float64) {
	if log {
		lo, hi = widen(math.Log10(lo), math.Log10(hi), false, share)
		return math.Pow(10, lo), math.Pow(10, hi)
	}
	if hi-lo <= 1e-9*math.Abs(hi) {
		room := max(math.Abs(hi)*0.05, 1e-3)
		return lo - room, hi + room
	}
	return lo - share*(hi-lo), hi + share*(hi-lo)
}

// sans is the plotting library's font without serifs, in points.
func sans(size float64) font.Font {
	return font.Font{Typeface: plot.DefaultFont.Typeface, Variant: "Sans", Size: font.Points(size)}
}

func (p Panel) style(pl *plot.Plot) {
	pl.Title.Text = p.Title
	pl.Title.TextStyle.Font = sans(12.5)
	pl.Title.TextStyle.Color = black
	pl.Title.Padding = vg.Points(6)
	pl.X.Label.Text = p.XLabel
	if p.XLabel == "" {
		pl.X.Label.Text = "epoch"
	}
	for _, axis := range []*plot.Axis{&pl.X, &pl.Y} {
		axis.Color = grey
		axis.LineStyle.Width = vg.Points(0.8)
		axis.Label.TextStyle.Font = sans(10.5)
		axis.Label.TextStyle.Color = grey
		axis.Tick.Label.Font = sans(10)
		axis.Tick.Label.Color = black
		axis.Tick.Color = grey
		axis.Tick.Length = vg.Points(4)
		axis.Padding = vg.Points(3)
	}
	pl.X.Tick.Marker, pl.Y.Tick.Marker = ticks(p.whole()), ticks(false)
	if p.LogX {
		pl.X.Scale, pl.X.Tick.Marker = plot.LogScale{}, decades
	}
	if p.LogY {
		pl.Y.Scale, pl.Y.Tick.Marker = plot.LogScale{}, decades
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = pale, pale
	pl.Add(grid)
	pl.Legend.TextStyle.Font = sans(10.5)
	pl.Legend.TextStyle.Color = black
	pl.Legend.ThumbnailWidth = vg.Points(22)
	pl.Legend.Padding = vg.Points(3)
	pl.Legend.XOffs = -vg.Points(8)
}

// whole tells whether all places are whole numbers, as epochs are.
func (p Panel) whole() bool {
	for _, s := range p.Series {
		for _, x := range s.X {
			if x != math.Trunc(x) {
				return false
			}
		}
	}
	return true
}

// ticks are marks at 1, 2 or 5 times a power of ten; whole says that fractions make no sense.
func ticks(whole bool) plot.Ticker {
	return plot.TickerFunc(func(lo, hi float64) []plot.Tick {
		const most = 8
		step := math.Pow(10, math.Floor(math.Log10((hi-lo)/most)))
		for _, m := range []float64{1, 2, 5, 10} {
			if (hi-lo)/(step*m) <= most {
				step *= m
				break
			}
		}
		if whole {
			step = max(step, 1)
		}
		digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
		var out []plot.Tick
		for i := math.Ceil(lo/step - 1e-9); i*step <= hi+1e-9*step; i++ {
			v := i*step + 0 // −0 becomes 0
			out = append(out, plot.Tick{Value: v, Label: label(v, digits)})
		}
		return out
	})
}

// decades are marks at the powers of ten, with unlabelled ones at the multiples between where there is room, and at 2
// and 5 times a power where there are few.
var decades = plot.TickerFunc(func(lo, hi float64) []plot.Tick {
	const most = 8
	first, last := int(math.Floor(math.Log10(lo)+1e-9)), int(math.Ceil(math.Log10(hi)-1e-9))
	every := (last-first)/(most+1) + 1
	var out []plot.Tick
	for e := first; e <= last; e++ {
		for m := 1.0; m < 10; m++ {
			// Parsed, for math.Pow is not exact.
			v, err := strconv.ParseFloat(fmt.Sprintf("%ge%d", m, e), 64)
			if err != nil || v < lo*(1-1e-9) || v > hi*(1+1e-9) {
				continue
			}
			switch {
			case m == 1 && (e-first)%every == 0, hi < 100*lo && (m == 2 || m == 5):
				out = append(out, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', -1, 64)})
			case every == 1:
				out = append(out, plot.Tick{Value: v})
			}
		}
	}
	return out
})

// label writes a mark's number, briefly where it is very large or small.
func label(v float64, digits int) string {
	if digits > 5 || math.Abs(v) >= 1e6 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
