package plot

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"

	"github.com/pkg/errors"
)

// Confusion draws a confusion matrix, counts[true class][predicted class]. The colour of a cell is its share
// of the row: blue for right predictions, orange for wrong ones. Up to 30 classes it also has the counts, and
// the recall and precision of each class in per cent. classes may be nil; the numbers are used then.
func Confusion(path, title string, counts [][]int, classes []string) error {
	n := len(counts)
	if n == 0 {
		return errors.New("confusion matrix without classes")
	}
	for i, row := range counts {
		if len(row) != n {
			return errors.Errorf("confusion matrix: row %d has %d counts, want %d", i, len(row), n)
		}
		for j, v := range row {
			if v < 0 {
				return errors.Errorf("confusion matrix: %d examples of class %d taken for %d", v, i, j)
			}
		}
	}
	if classes != nil && len(classes) != n {
		return errors.Errorf("confusion matrix: %d names for %d classes", len(classes), n)
	}
	if classes == nil {
		for i := range n {
			classes = append(classes, strconv.Itoa(i))
		}
	}
	m, err := newMatrix(counts, classes)
	if err != nil {
		return err
	}
	img, err := m.draw(title)
	if err != nil {
		return err
	}
	return save(path, img)
}

// matrix is the layout of a confusion matrix.
type matrix struct {
	counts             [][]int
	classes            []string
	cell               int  // pixels a side
	numbers            bool // counts, recall and precision are written
	named              bool // classes are written
	head, label, value pen
	left, top          int // place of the first cell
	upright            bool
}

func newMatrix(counts [][]int, classes []string) (*matrix, error) {
	m := &matrix{counts: counts, classes: classes}
	size := 15.0
	switch n := len(counts); {
	case n <= 12:
		m.cell, m.numbers, m.named = 58, true, true
	case n <= 30:
		m.cell, m.numbers, m.named, size = 40, true, true, 12
	case n <= 120:
		m.cell, m.named, size = 14, true, 11
	default:
		m.cell = max(1200/n, 2)
	}
	var err error
	if m.head, err = newPen(bold, 18); err != nil {
		return nil, err
	}
	if m.label, err = newPen(regular, size); err != nil {
		return nil, err
	}
	if m.value, err = newPen(regular, size-1); err != nil {
		return nil, err
	}
	const longest = 160 // pixels of a class name
	m.classes = nil
	for _, c := range classes {
		m.classes = append(m.classes, m.label.fit(c, longest))
	}
	m.left, m.top = 2*margin+m.label.height, 2*margin+m.label.height
	if m.named {
		widest := m.label.widest(m.classes)
		m.upright = widest > m.cell-6
		m.left += widest + margin
		if m.upright {
			m.top += widest + margin
		} else {
			m.top += m.label.height + margin/2
		}
	}
	if m.numbers {
		m.left = max(m.left, m.value.width("precision")+2*margin)
	}
	return m, nil
}

func (m *matrix) draw(title string) (image.Image, error) {
	n := len(m.counts)
	span := n * m.cell
	extra := 0 // for recall and precision
	if m.numbers {
		extra = max(m.cell, m.label.width("precision")) + margin
	}
	if title != "" {
		m.top += m.head.height + margin
	}
	width := max(m.left+span+extra+2*margin, m.left+m.label.width("predicted class")+margin)
	img, err := newImage("confusion matrix", width, m.top+span+extra/2+2*margin)
	if err != nil {
		return nil, err
	}
	m.head.write(img, m.left, margin, m.head.fit(title, width-m.left-margin), black)
	m.names(img, title != "")
	for i, row := range m.counts {
		total := sum(row)
		for j, v := range row {
			r := image.Rect(0, 0, m.cell, m.cell).Add(image.Pt(m.left+j*m.cell, m.top+i*m.cell))
			share := 0.0
			if total > 0 {
				share = float64(v) / float64(total)
			}
			c := shade(share, i == j)
			fill(img, r, c)
			if m.numbers {
				ink := black
				if v == 0 {
					ink = color.NRGBA{0xb8, 0xb8, 0xb8, 0xff}
				} else if dark(c) {
					ink = white
				}
				m.value.centre(img, r, m.value.fit(strconv.Itoa(v), m.cell-2), ink)
			}
		}
	}
	m.lines(img)
	if m.numbers {
		m.rates(img)
	}
	return img, nil
}

// names writes the classes and what rows and columns are.
func (m *matrix) names(img *image.NRGBA, titled bool) {
	span := len(m.counts) * m.cell
	y := margin
	if titled {
		y += m.head.height + margin
	}
	m.label.write(img, m.left+max((span-m.label.width("predicted class"))/2, 0), y, "predicted class", grey)
	m.label.upward(img, margin, m.top+(span+m.label.width("true class"))/2, "true class", grey)
	if !m.named {
		return
	}
	for i, name := range m.classes {
		middle := i*m.cell + (m.cell-m.label.height)/2
		m.label.write(img, m.left-margin-m.label.width(name), m.top+middle, name, black)
		if m.upright {
			m.label.upward(img, m.left+middle, m.top-margin/2, name, black)
		} else {
			m.label.write(img, m.left+i*m.cell+(m.cell-m.label.width(name))/2, m.top-margin/2-m.label.height, name, black)
		}
	}
}

// lines parts the cells, where they are large enough.
func (m *matrix) lines(img *image.NRGBA) {
	n := len(m.counts)
	span := n * m.cell
	for i := 0; i <= n; i++ {
		if m.cell < 10 && i > 0 && i < n {
			continue
		}
		at := i * m.cell
		fill(img, image.Rect(m.left, m.top+at, m.left+span+1, m.top+at+1), pale)
		fill(img, image.Rect(m.left+at, m.top, m.left+at+1, m.top+span+1), pale)
	}
}

// rates writes the recall of each row and the precision of each column.
func (m *matrix) rates(img *image.NRGBA) {
	n := len(m.counts)
	x, y := m.left+n*m.cell+margin, m.top+n*m.cell+margin/2
	for i := range n {
		column := 0
		for _, row := range m.counts {
			column += row[i]
		}
		right := m.counts[i][i]
		recall := image.Rect(x, m.top+i*m.cell, x+m.cell, m.top+(i+1)*m.cell)
		m.value.centre(img, recall, percent(right, sum(m.counts[i])), grey)
		precision := image.Rect(m.left+i*m.cell, y, m.left+(i+1)*m.cell, y+m.value.height)
		m.value.centre(img, precision, percent(right, column), grey)
	}
	m.value.centre(img, image.Rect(x, m.top-margin/2-m.value.height, x+m.cell, m.top-margin/2), "recall", grey)
	m.value.write(img, m.left-margin-m.value.width("precision"), y, "precision", grey)
}

func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", 100*float64(part)/float64(whole))
}

func sum(row []int) int {
	n := 0
	for _, v := range row {
		n += v
	}
	return n
}

// shade goes from white to blue on the diagonal and to orange off it. Off it goes by the cube root of the
// share, so that the few mistakes of a good network show.
func shade(share float64, diagonal bool) color.NRGBA {
	to, x := blue, share
	if !diagonal {
		to, x = orange, math.Cbrt(share)
	}
	mix := func(c uint8) uint8 { return uint8(255 + x*(float64(c)-255) + 0.5) }
	return color.NRGBA{mix(to.R), mix(to.G), mix(to.B), 255}
}

// dark tells whether white text is easier to read on c than black.
func dark(c color.NRGBA) bool { return 299*int(c.R)+587*int(c.G)+114*int(c.B) < 140_000 }
