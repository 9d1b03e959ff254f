package preprocess

import (
	"image"
	"image/color"
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/resample"
)

// Filter is an interpolation, with antialiasing as in Pillow.
type Filter = resample.Filter

// The interpolations that networks are evaluated with.
const (
	Bilinear = resample.Bilinear
	Bicubic  = resample.Bicubic
	Lanczos  = resample.Lanczos
	Box      = resample.Box
	Nearest  = resample.Nearest
)

// Config is the preprocessing of a set of weights. A sample v of 0 to 255 becomes (v·Scale − Mean) / Std.
type Config struct {
	Size   [2]int // height and width of the network's input, in pixels
	Resize int    // the shorter side before the middle is cut out, when Size is square; 0 means Size[0]
	Squash bool   // resize to Size whatever the proportions, and cut nothing
	Filter Filter

	Scale float64   // 0 means 1/255
	Mean  []float64 // of each channel, in the order in which the network takes them; none means 0
	Std   []float64 // none means 1
	BGR   bool      // the network takes blue, green and red

	// Background shows through transparent pixels. Where it is nil their colour counts as if they were not
	// transparent, as in Pillow's convert("RGB").
	Background *color.NRGBA
}

// For is the preprocessing for a network that takes pictures of another size. It cuts out the same part.
func (c Config) For(height, width int) Config {
	if c.Resize > 0 && c.Size[0] > 0 {
		c.Resize = int(math.Round(float64(c.Resize) * float64(min(height, width)) / float64(min(c.Size[0], c.Size[1]))))
	}
	c.Size = [2]int{height, width}
	return c
}

// Check says what is wrong with the configuration for networks with the given number of channels.
func (c Config) Check(channels int) error {
	h, w := c.Size[0], c.Size[1]
	const most = 1 << 14
	switch {
	case h < 1 || w < 1 || h > most || w > most:
		return errors.Errorf("preprocess: Size %v, want height and width from 1 to %d", c.Size, most)
	case c.Resize != 0 && (c.Resize < min(h, w) || c.Resize > most):
		return errors.Errorf("preprocess: Resize %d for Size %v, want at least the shorter of the two and at most %d", c.Resize, c.Size, most)
	case channels != 1 && channels != 3 && channels != 4:
		return errors.Errorf("preprocess: %d channels, want 1 (grey), 3 (colour) or 4 (colour and opacity)", channels)
	case len(c.Mean) > 4 || len(c.Std) > 4:
		return errors.Errorf("preprocess: Mean %v and Std %v, want a value for each of the channels", c.Mean, c.Std)
	}
	for _, s := range c.Std {
		if !(s > 0) {
			return errors.Errorf("preprocess: Std %v, want positive values", c.Std)
		}
	}
	return nil
}

// Tensor is a batch of pictures as a network with the given number of channels takes it, [N, C, H, W]. With one
// channel they are made grey (luma of ITU-R BT.601, as Pillow's convert("L")); mean and deviation are then the
// averages over the three. With four the last is opacity, from 0 to 1 (·255·Scale).
func (c Config) Tensor(dt tensor.Dtype, channels int, pictures ...image.Image) (*tensor.Dense, error) {
	if err := c.Check(channels); err != nil {
		return nil, err
	}
	if len(pictures) == 0 {
		return nil, errors.New("preprocess: no picture")
	}
	if dt != tensor.Float32 && dt != tensor.Float64 {
		return nil, errors.Errorf("preprocess: type %v, want float32 or float64", dt)
	}
	out := tensor.New(tensor.Of(dt), tensor.WithShape(len(pictures), channels, c.Size[0], c.Size[1]))
	n := channels * c.Size[0] * c.Size[1]
	for i, p := range pictures {
		part, err := c.Samples(channels, p)
		if err != nil {
			return nil, errors.WithMessagef(err, "picture %d", i)
		}
		for k := range channels {
			table := c.table(k, channels)
			from := min(k, part.Channels-1) // grey is spread out over three
			if c.BGR && part.Channels >= 3 && k < 3 {
				from = 2 - k
			}
			if dt == tensor.Float64 {
				spread(out.Float64s()[i*n:], part, k, from, table)
			} else {
				spread(out.Float32s()[i*n:], part, k, from, table)
			}
		}
	}
	return out, nil
}

// Samples is the part of a picture that the network sees, as [H, W, C] of 0 to 255 with red, green and blue in
// this order.
func (c Config) Samples(channels int, picture image.Image) (*resample.Image, error) {
	if picture == nil || picture.Bounds().Empty() {
		return nil, errors.New("preprocess: an empty picture")
	}
	src := c.channels(resample.FromImage(picture), channels)
	out := resample.New(c.Size[1], c.Size[0], src.Channels)
	w, h := c.fit(src.Width, src.Height)
	const most = 1 << 24
	if w > most || h > most {
		return nil, errors.Errorf("preprocess: a picture of %d×%d would have to be resized to %d×%d, want at most %d", src.Width, src.Height, w, h, most)
	}
	// The middle, where a half pixel goes to the even side: Python's round.
	x := int(math.RoundToEven(float64(w-out.Width) / 2))
	y := int(math.RoundToEven(float64(h-out.Height) / 2))
	if err := resample.ResizeCrop(out, src, w, h, x, y, c.Filter); err != nil {
		return nil, err
	}
	return out, nil
}

// fit is the size to which a whole picture of w×h is resized.
func (c Config) fit(w, h int) (int, int) {
	if c.Squash {
		return c.Size[1], c.Size[0]
	}
	short := c.Resize
	if short == 0 {
		short = min(c.Size[0], c.Size[1])
	}
	if c.Size[0] == c.Size[1] {
		if w <= h {
			return short, short * h / w
		}
		return short * w / h, short
	}
	// No more of the picture is cut off than its proportions ask for.
	margin := float64(short) / float64(min(c.Size[0], c.Size[1]))
	r := margin * max(float64(c.Size[1])/float64(w), float64(c.Size[0])/float64(h))
	return max(int(math.Round(r*float64(w))), c.Size[1]), max(int(math.Round(r*float64(h))), c.Size[0])
}

// channels converts samples to 1, 3 or 4 channels. Grey pictures stay so for three channels too: they are spread
// out in the end.
func (c Config) channels(m *resample.Image, want int) *resample.Image {
	if m.Channels == 4 && want != 4 {
		m = c.flatten(m)
	}
	if m.Channels == want || m.Channels == 1 && want == 3 {
		return m
	}
	out := resample.New(m.Width, m.Height, want)
	for y := range m.Height {
		from, to := m.Row(y), out.Row(y)
		for x := range m.Width {
			p, q := from[x*m.Channels:], to[x*want:]
			if want == 1 {
				// Pillow's L: 0.299, 0.587 and 0.114 in 16 bits, rounded.
				q[0] = uint8((uint32(p[0])*19595 + uint32(p[1])*38470 + uint32(p[2])*7471 + 1<<15) >> 16)
				continue
			}
			q[0], q[1], q[2], q[3] = p[0], p[min(1, m.Channels-1)], p[min(2, m.Channels-1)], 255
		}
	}
	return out
}

// flatten takes opacity off.
func (c Config) flatten(m *resample.Image) *resample.Image {
	out := resample.New(m.Width, m.Height, 3)
	var back [3]uint32
	if c.Background != nil {
		back = [3]uint32{uint32(c.Background.R), uint32(c.Background.G), uint32(c.Background.B)}
	}
	for y := range m.Height {
		from, to := m.Row(y), out.Row(y)
		for x := range m.Width {
			p, q := from[4*x:][:4], to[3*x:][:3]
			if c.Background == nil {
				copy(q, p)
				continue
			}
			a := uint32(p[3])
			for k := range q {
				q[k] = uint8((uint32(p[k])*a + back[k]*(255-a) + 127) / 255)
			}
		}
	}
	return out
}

// table is what each sample of the network's channel k becomes.
func (c Config) table(k, channels int) *[256]float64 {
	scale := c.Scale
	if scale == 0 {
		scale = 1.0 / 255
	}
	mean, std := of(c.Mean, k, channels, 0), of(c.Std, k, channels, 1)
	var t [256]float64
	for v := range t {
		t[v] = (float64(v)*scale - mean) / std
	}
	return &t
}

// of is the value of a channel: opacity has none of its own unless there are four, and grey has the average.
func of(values []float64, k, channels int, none float64) float64 {
	switch {
	case len(values) == 0:
		return none
	case channels == 1:
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return sum / float64(len(values))
	case len(values) == 1 && k < 3:
		return values[0]
	case k < len(values):
		return values[k]
	}
	return none
}

// spread fills plane k of dst, [C, H, W], with a channel of m.
func spread[T float32 | float64](dst []T, m *resample.Image, k, from int, table *[256]float64) {
	plane := dst[k*m.Width*m.Height:]
	for y := range m.Height {
		row := m.Row(y)
		for x := range m.Width {
			plane[y*m.Width+x] = T(table[row[x*m.Channels+from]])
		}
	}
}
