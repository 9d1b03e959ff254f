package plot

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

func read(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// count is the number of pixels of a colour.
func count(img image.Image, c color.NRGBA) int {
	n := 0
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if color.NRGBAModel.Convert(img.At(x, y)) == c {
				n++
			}
		}
	}
	return n
}

// folder is where pictures go: STHENO_PLOT_DIR, to look at them, or a temporary one.
func folder(t *testing.T) string {
	if d := os.Getenv("STHENO_PLOT_DIR"); d != "" {
		return d
	}
	return t.TempDir()
}

// run is what a training looks like: validation a little behind, with some noise.
func run(n int) (trainLoss, valLoss, trainAcc, valAcc []float64) {
	for i := range n {
		x := float64(i + 1)
		trainLoss = append(trainLoss, 1.8*math.Exp(-x/3)+0.02)
		valLoss = append(valLoss, 1.6*math.Exp(-x/3)+0.08+0.01*math.Sin(3*x))
		trainAcc = append(trainAcc, 0.998-0.4*math.Exp(-x/2))
		valAcc = append(valAcc, 0.982-0.35*math.Exp(-x/2)+0.003*math.Sin(3*x))
	}
	return
}

func TestCurves(t *testing.T) {
	a, b, c, d := run(12)
	b[5] = math.NaN()
	path := filepath.Join(folder(t), "curves.png")
	err := Curves(path, "quickstart: ResNet on MNIST",
		Panel{Title: "loss", Series: []Series{{Name: "train", Values: a}, {Name: "validation", Values: b}}},
		Panel{Title: "accuracy", Series: []Series{{Name: "train", Values: c}, {Name: "validation", Values: d}}})
	if err != nil {
		t.Fatal(err)
	}
	img := read(t, path)
	if want := image.Pt(1536, 528); img.Bounds().Size() != want {
		t.Errorf("size %v, want %v", img.Bounds().Size(), want)
	}
	for _, c := range []color.NRGBA{blue, orange} {
		// Two curves of some 600 pixels length and 3 width in each colour.
		if n := count(img, c); n < 2000 {
			t.Errorf("%d pixels of %v: a curve is missing", n, c)
		}
	}
}

// TestCurvesLog is what a search for the rate looks like.
// The legend goes where it hides nothing.
func TestFreeCorner(t *testing.T) {
	for name, c := range map[string]struct {
		y         func(x float64) float64
		top, left bool
	}{
		"falls":                {func(x float64) float64 { return 1 - x }, true, false},
		"rises":                {func(x float64) float64 { return x }, false, false},
		"rises at the end":     {func(x float64) float64 { return math.Pow(x, 20) }, true, true},
		"rises at the start":   {func(x float64) float64 { return math.Pow(x, 0.05) }, false, false},
		"falls, and rises":     {func(x float64) float64 { return math.Abs(x-0.7) / 0.7 }, true, false},
		"over all of the rest": {func(x float64) float64 { return 1 - math.Pow(x, 20) }, false, true},
	} {
		var points plotter.XYs
		for i := range 101 {
			x := float64(i) / 100
			points = append(points, plotter.XY{X: x, Y: c.y(x)})
		}
		pl := gonum.New()
		pl.X.Min, pl.X.Max, pl.Y.Min, pl.Y.Max = 0, 1, 0, 1
		if top, left := freeCorner(pl, points); top != c.top || left != c.left {
			t.Errorf("a curve that %s: top %v, left %v", name, top, left)
		}
	}
}

func TestCurvesLog(t *testing.T) {
	var s Series
	for e := -7.0; e < 1; e += 0.05 {
		s.X = append(s.X, math.Pow(10, e))
		s.Values = append(s.Values, 2.3-1.5/(1+math.Exp(-2*(e+3)))+math.Exp(3*e))
	}
	s.Name = "loss"
	path := filepath.Join(folder(t), "rates.png")
	if err := Curves(path, "", Panel{Title: "rate finder", XLabel: "learning rate", LogX: true, LogY: true, Series: []Series{s}}); err != nil {
		t.Fatal(err)
	}
	if n := count(read(t, path), blue); n < 1000 {
		t.Errorf("%d pixels of the curve", n)
	}
}

// TestCurvesOdd: data that has nothing to show, or hardly, is no error and no panic.
func TestCurvesOdd(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, p := range map[string]Panel{
		"no series":     {},
		"empty series":  {Series: []Series{{Name: "a"}}},
		"all NaN":       {Series: []Series{{Values: []float64{nan, inf, -inf}}}},
		"one value":     {Series: []Series{{Values: []float64{0}}}},
		"one large":     {Series: []Series{{Values: []float64{-1e12}}}},
		"equal":         {Series: []Series{{Values: []float64{2, 2, 2}}}},
		"nearly equal":  {Series: []Series{{Values: []float64{1e20, 1e20 + 1e5}}}},
		"gaps":          {Series: []Series{{Values: []float64{nan, 1, nan, 3, 4, inf}}}},
		"huge":          {Series: []Series{{Values: []float64{-1.7e308, 1.7e308, 1e299, -1e299}}}},
		"tiny":          {Series: []Series{{Values: []float64{5e-324, 1e-310}}}},
		"log of zero":   {LogY: true, LogX: true, Series: []Series{{Values: []float64{0, -1, 5e-324}}}},
		"log of one":    {LogY: true, Series: []Series{{Values: []float64{3}}}},
		"one epoch":     {Series: []Series{{Values: []float64{3}}, {Values: []float64{4}}}},
		"many series":   {Series: slices.Repeat([]Series{{Name: "x", Values: []float64{1, 2}}}, 9)},
		"5000 values":   {Series: []Series{{Values: make([]float64, 5000)}}},
		"long name":     {Title: strings.Repeat("long ", 60), Series: []Series{{Name: strings.Repeat("n", 200), Values: []float64{1, 2}}}},
		"broken string": {Title: "\xff\xfe", Series: []Series{{Name: "\x00", Values: []float64{1, 2}}}},
	} {
		if err := Curves(filepath.Join(t.TempDir(), "c.png"), "", p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCurvesErrors(t *testing.T) {
	dir := t.TempDir()
	if err := Curves(filepath.Join(dir, "c.png"), ""); err == nil {
		t.Error("no error for no panel")
	}
	bad := Panel{Title: "loss", Series: []Series{{Name: "train", Values: []float64{1, 2}, X: []float64{1}}}}
	if err := Curves(filepath.Join(dir, "c.png"), "", bad); err == nil || !strings.Contains(err.Error(), `"loss": series "train" has 2 values at 1 places`) {
		t.Errorf("error %v", err)
	}
	if err := Curves(filepath.Join(dir, "c.png"), "", make([]Panel, 1000)...); err == nil || !strings.Contains(err.Error(), "pixels") {
		t.Errorf("1000 panels: error %v", err)
	}
	if err := Curves(filepath.Join(dir, "no", "c.png"), "", Panel{}); err == nil || !strings.Contains(err.Error(), "c.png") {
		t.Errorf("folder that is not there: error %v", err)
	}
}

// digit draws something like a written figure.
func digit(seed int) image.Image {
	img := image.NewGray(image.Rect(0, 0, 28, 28))
	for i := range 200 {
		x := 14 + 9*math.Cos(float64(i)/30+float64(seed))
		y := 14 + 9*math.Sin(float64(i)/(20+float64(seed)))
		img.SetGray(int(x), int(y), color.Gray{255})
		img.SetGray(int(x)+1, int(y), color.Gray{180})
	}
	return img
}

func TestSheet(t *testing.T) {
	var pictures []Picture
	for i := range 23 {
		p := Picture{Image: digit(i), Caption: fmt.Sprintf("%d  %.1f %%", i%10, 99.9-float64(i))}
		if i%6 == 4 {
			p.Wrong = true
			p.Caption = fmt.Sprintf("%d, is %d", i%10, (i+3)%10)
		}
		pictures = append(pictures, p)
	}
	wide := image.NewNRGBA(image.Rect(10, 10, 310, 110))
	for i := range wide.Pix {
		wide.Pix[i] = byte(i * 7)
	}
	pictures = append(pictures, Picture{Image: wide, Caption: "a caption that is too long for its picture"})
	path := filepath.Join(folder(t), "sheet.png")
	if err := Sheet(path, "test digits and predictions", 0, pictures); err != nil {
		t.Fatal(err)
	}
	img := read(t, path)
	if b := img.Bounds(); b.Dx() != margin+6*(side+2*margin) {
		t.Errorf("width %d, want that of 6 columns", b.Dx())
	}
	framed := 4 // pictures 4, 10, 16, 22
	edge := (side+2*frame)*(side+2*frame) - side*side
	if n := count(img, orange); n < framed*edge || n > framed*(edge+400) { // and the letters of the captions
		t.Errorf("%d orange pixels, want %d frames of %d", n, framed, edge)
	}
}

func TestSheetErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.png")
	for _, c := range []struct {
		pictures []Picture
		columns  int
		want     string
	}{
		{nil, 0, "at least one picture"},
		{[]Picture{{Image: digit(0)}}, -1, "columns"},
		{[]Picture{{Caption: "seven"}}, 0, `picture 0, "seven", is empty`},
		{[]Picture{{Image: image.NewGray(image.Rectangle{})}}, 0, "is empty"},
		{slices.Repeat([]Picture{{Image: digit(0)}}, 1000), 1, "show less"},
	} {
		if err := Sheet(path, "", c.columns, c.pictures); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	thin := image.NewGray(image.Rect(0, 0, 5000, 1))
	if err := Sheet(path, "", 0, []Picture{{Image: thin}}); err != nil {
		t.Errorf("a picture of one line: %v", err)
	}
}

func table(n int) [][]int {
	counts := make([][]int, n)
	for i := range counts {
		counts[i] = make([]int, n)
		for j := range counts[i] {
			counts[i][j] = max(0, 8-((i*7+j*13)%11)*3)
		}
		counts[i][i] = 960 + i
	}
	return counts
}

func TestConfusion(t *testing.T) {
	dir := folder(t)
	clothes := []string{"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"}
	for _, c := range []struct {
		name    string
		n       int
		classes []string
	}{{"digits", 10, nil}, {"clothes", 10, clothes}, {"twenty", 20, nil}, {"hundred", 100, nil}, {"thousand", 1000, nil}, {"one", 1, []string{"all"}}} {
		path := filepath.Join(dir, "confusion_"+c.name+".png")
		if err := Confusion(path, "test set", table(c.n), c.classes); err != nil {
			t.Fatal(err)
		}
		img := read(t, path)
		if b := img.Bounds(); b.Dx() > 2200 || b.Dy() > 2200 {
			t.Errorf("%s: %v pixels", c.name, b.Size())
		}
	}
}

func TestConfusionColours(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.png")
	if err := Confusion(path, "", [][]int{{5, 0}, {7, 0}}, nil); err != nil {
		t.Fatal(err)
	}
	img := read(t, path)
	// Class 0 is always right, class 1 always taken for it. Letters and lines take some of a cell.
	for _, c := range []color.NRGBA{blue, orange} {
		if n := count(img, c); n < 58*58/2 || n > 58*58 {
			t.Errorf("%d pixels of %v, want those of one cell", n, c)
		}
	}
}

func TestConfusionErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.png")
	for _, c := range []struct {
		counts  [][]int
		classes []string
		want    string
	}{
		{nil, nil, "without classes"},
		{[][]int{{1, 2}, {3}}, nil, "row 1 has 1 counts, want 2"},
		{[][]int{{1, -2}, {3, 4}}, nil, "-2 examples"},
		{[][]int{{1}}, []string{"a", "b"}, "2 names for 1 classes"},
		{make([][]int, 1), nil, "row 0 has 0 counts"},
	} {
		if err := Confusion(path, "", c.counts, c.classes); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

func TestFit(t *testing.T) {
	p, err := newPen(regular, 14)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"", "a", "a long line of text", "дом и сад на холме", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"} {
		for _, w := range []int{0, 5, 40, 1000} {
			if got := p.fit(s, w); p.width(got) > w {
				t.Errorf("%q in %d: %q is %d wide", s, w, got, p.width(got))
			}
		}
	}
	if got := p.fit("a long line of text", 60); !strings.HasSuffix(got, "…") {
		t.Errorf("%q does not say that it was cut", got)
	}
}
