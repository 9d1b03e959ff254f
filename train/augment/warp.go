package augment

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// Warp says what a warp makes of pixels.
type Warp struct {
	By   Interpolation // Nearest, Bilinear or Bicubic
	Fill [3]uint8      // what comes from outside the picture
}

// warp makes a picture of h×w pixels; from tells where the centre of each comes from.
func (p *Picture) warp(h, w int, o Warp, from func(x, y float64) (float64, float64)) (*Picture, error) {
	if o.By > Bicubic {
		return nil, errors.Errorf("warp: interpolation %d, want Nearest, Bilinear or Bicubic", o.By)
	}
	out := New(h, w, p.C)
	for y := range h {
		for x := range w {
			dst := out.Pix[(y*w+x)*p.C:][:p.C]
			sx, sy := from(float64(x)+0.5, float64(y)+0.5)
			if !(sx >= 0 && sx < float64(p.W) && sy >= 0 && sy < float64(p.H)) {
				copy(dst, o.Fill[:])
				continue
			}
			switch o.By {
			case Nearest:
				copy(dst, p.Pix[(int(sy)*p.W+int(sx))*p.C:])
			case Bilinear:
				p.bilinear(dst, sx-0.5, sy-0.5)
			default:
				p.bicubic(dst, sx-0.5, sy-0.5)
			}
		}
	}
	return out, nil
}

// bilinear mixes the four pixels round a point. Fractions are cut off, as PIL does.
func (p *Picture) bilinear(dst []uint8, x, y float64) {
	fx, fy := math.Floor(x), math.Floor(y)
	dx, dy := x-fx, y-fy
	x0, y0 := int(fx), int(fy)
	a, b := max(x0, 0)*p.C, min(x0+1, p.W-1)*p.C
	top := p.Pix[max(y0, 0)*p.W*p.C:]
	bottom := p.Pix[min(y0+1, p.H-1)*p.W*p.C:]
	for c := range dst {
		u := float64(top[a+c]) + dx*float64(int(top[b+c])-int(top[a+c]))
		v := float64(bottom[a+c]) + dx*float64(int(bottom[b+c])-int(bottom[a+c]))
		dst[c] = uint8(u + dy*(v-u))
	}
}

// bicubic mixes 16 pixels.
func (p *Picture) bicubic(dst []uint8, x, y float64) {
	fx, fy := math.Floor(x), math.Floor(y)
	dx, dy := x-fx, y-fy
	var at [4]int
	var rows [4][]uint8
	for k := range 4 {
		at[k] = min(max(int(fx)-1+k, 0), p.W-1) * p.C
		rows[k] = p.Pix[min(max(int(fy)-1+k, 0), p.H-1)*p.W*p.C:]
	}
	for c := range dst {
		var v [4]float64
		for k, row := range rows {
			v[k] = cubic(float64(row[at[0]+c]), float64(row[at[1]+c]), float64(row[at[2]+c]), float64(row[at[3]+c]), dx)
		}
		dst[c] = clip8(int(cubic(v[0], v[1], v[2], v[3], dy)))
	}
}

// cubic is the convolution of Keys (1981) with a = −1.
func cubic(a, b, c, d, t float64) float64 {
	return b + t*(c-a+t*(2*(a-b)+c-d+t*(b-a+d-c)))
}

// Affine is a map of the plane, from places in the result to places in the source: (x, y) comes from
// (m[0]·x + m[1]·y + m[2], m[3]·x + m[4]·y + m[5]).
type Affine [6]float64

func (m Affine) at(x, y float64) (float64, float64) {
	return m[0]*x + m[1]*y + m[2], m[3]*x + m[4]*y + m[5]
}

// Transform maps the picture to one of h×w pixels, as PIL's transform does.
func (p *Picture) Transform(h, w int, m Affine, o Warp) (*Picture, error) {
	if h < 1 || w < 1 || h > maxSide || w > maxSide {
		return nil, errors.Errorf("transform: %d×%d pixels, want 1 to %d a side", h, w, maxSide)
	}
	for _, v := range m {
		if math.IsNaN(v) || math.Abs(v) > 1<<30 {
			return nil, errors.Errorf("transform: map %v", m)
		}
	}
	if o.By == Nearest && (m[1] != 0 || m[3] != 0) && p.W < maxSide && p.H < maxSide && m.small(h, w) {
		return p.fixed(h, w, m, o.Fill), nil
	}
	return p.warp(h, w, o, m.at)
}

// small tells whether all places fit into 15 bits and a sign.
func (m Affine) small(h, w int) bool {
	for _, corner := range [][2]float64{{0, 0}, {float64(w), 0}, {0, float64(h)}, {float64(w), float64(h)}} {
		if x, y := m.at(corner[0], corner[1]); math.Abs(x) >= maxSide-1 || math.Abs(y) >= maxSide-1 {
			return false
		}
	}
	return true
}

// fixed is a warp to the nearest pixels whose places are counted in 1/65536, as PIL does: pixels half-way
// between two fall to the same side.
func (p *Picture) fixed(h, w int, m Affine, fill [3]uint8) *Picture {
	fix := func(v float64) int { return int(math.Floor(v*65536 + 0.5)) }
	out := New(h, w, p.C)
	rowX, rowY := fix(m[2]+m[0]*0.5+m[1]*0.5), fix(m[5]+m[3]*0.5+m[4]*0.5)
	for y := range h {
		sx, sy := rowX, rowY
		for x := range w {
			dst := out.Pix[(y*w+x)*p.C:][:p.C]
			if px, py := sx>>16, sy>>16; px >= 0 && px < p.W && py >= 0 && py < p.H {
				copy(dst, p.Pix[(py*p.W+px)*p.C:])
			} else {
				copy(dst, fill[:])
			}
			sx += fix(m[0])
			sy += fix(m[3])
		}
		rowX += fix(m[1])
		rowY += fix(m[4])
	}
	return out
}

// Rotate turns the picture round its middle by degrees, against the clock. With expand the result holds all
// of the turned picture.
func (p *Picture) Rotate(degrees float64, expand bool, o Warp) (*Picture, error) {
	if math.IsNaN(degrees) || math.IsInf(degrees, 0) {
		return nil, errors.Errorf("rotate: %v degrees", degrees)
	}
	degrees = math.Mod(math.Mod(degrees, 360)+360, 360)
	switch {
	case degrees == 0:
		return p, nil
	case degrees == 180:
		return p.FlipHorizontal().FlipVertical(), nil
	case degrees == 90 && (expand || p.H == p.W):
		return p.transpose().FlipVertical(), nil
	case degrees == 270 && (expand || p.H == p.W):
		return p.transpose().FlipHorizontal(), nil
	}
	sin, cos := math.Sincos(-degrees * math.Pi / 180)
	sin, cos = round15(sin), round15(cos)
	m := Affine{cos, sin, 0, -sin, cos, 0}
	cx, cy := float64(p.W)/2, float64(p.H)/2
	m[2], m[5] = m.at(-cx, -cy)
	m[2] += cx
	m[5] += cy
	h, w := p.H, p.W
	if expand {
		minX, maxX, minY, maxY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
		for _, c := range [][2]float64{{0, 0}, {float64(w), 0}, {float64(w), float64(h)}, {0, float64(h)}} {
			x, y := m.at(c[0], c[1])
			minX, maxX, minY, maxY = min(minX, x), max(maxX, x), min(minY, y), max(maxY, y)
		}
		w, h = int(math.Ceil(maxX)-math.Floor(minX)), int(math.Ceil(maxY)-math.Floor(minY))
		m[2], m[5] = m.at(-float64(w-p.W)/2, -float64(h-p.H)/2)
	}
	return p.Transform(h, w, m, o)
}

// round15 rounds to 15 decimals, as PIL does so that the sine of half a turn is 0.
func round15(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', 15, 64), 64)
	if err != nil {
		return v // cannot be: what is parsed was just formatted
	}
	return r
}

// transpose exchanges rows and columns.
func (p *Picture) transpose() *Picture {
	out := New(p.W, p.H, p.C)
	for y := range p.H {
		for x := range p.W {
			copy(out.Pix[(x*p.H+y)*p.C:][:p.C], p.Pix[(y*p.W+x)*p.C:])
		}
	}
	return out
}

// AffineMap is the inverse of: shear by degrees along x and y, rotate by degrees with the clock, scale, all
// round (cx, cy), then shift by (tx, ty) pixels. It is torchvision's.
func AffineMap(cx, cy, degrees, tx, ty, scale, shearX, shearY float64) Affine {
	rot, sx, sy := degrees*math.Pi/180, shearX*math.Pi/180, shearY*math.Pi/180
	a := math.Cos(rot-sy) / math.Cos(sy)
	b := -math.Cos(rot-sy)*math.Tan(sx)/math.Cos(sy) - math.Sin(rot)
	c := math.Sin(rot-sy) / math.Cos(sy)
	d := -math.Sin(rot-sy)*math.Tan(sx)/math.Cos(sy) + math.Cos(rot)
	m := Affine{d / scale, -b / scale, 0, -c / scale, a / scale, 0}
	m[2] = m[0]*(-cx-tx) + m[1]*(-cy-ty) + cx
	m[5] = m[3]*(-cx-tx) + m[4]*(-cy-ty) + cy
	return m
}

// Perspective maps the plane: (x, y) of the result comes from
// ((k[0]·x + k[1]·y + k[2])/d, (k[3]·x + k[4]·y + k[5])/d) with d = k[6]·x + k[7]·y + 1.
type Perspective [8]float64

// PerspectiveMap is the map that takes four points of the source, (x, y), to four of the result.
func PerspectiveMap(from, to [4][2]float64) (Perspective, error) {
	a, b := mat.NewDense(8, 8, nil), mat.NewVecDense(8, nil)
	for i := range 4 {
		x, y, u, v := to[i][0], to[i][1], from[i][0], from[i][1]
		a.SetRow(2*i, []float64{x, y, 1, 0, 0, 0, -u * x, -u * y})
		a.SetRow(2*i+1, []float64{0, 0, 0, x, y, 1, -v * x, -v * y})
		b.SetVec(2*i, u)
		b.SetVec(2*i+1, v)
	}
	var k mat.VecDense
	if err := k.SolveVec(a, b); err != nil {
		return Perspective{}, errors.Errorf("perspective: no map takes %v to %v", from, to)
	}
	return Perspective(k.RawVector().Data), nil
}

// Perspective maps the picture to one of its own size.
func (p *Picture) Perspective(k Perspective, o Warp) (*Picture, error) {
	return p.warp(p.H, p.W, o, func(x, y float64) (float64, float64) {
		d := k[6]*x + k[7]*y + 1
		return (k[0]*x + k[1]*y + k[2]) / d, (k[3]*x + k[4]*y + k[5]) / d
	})
}

// RandomRotation turns by an angle within ±Degrees.
type RandomRotation struct {
	Degrees float64
	Expand  bool
	Warp
}

// Apply turns.
func (o RandomRotation) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	return p.Rotate(uniform(-o.Degrees, o.Degrees, rnd), o.Expand, o.Warp)
}

// RandomAffine turns, shifts, scales and shears.
type RandomAffine struct {
	Degrees   float64    // angle within ±
	Translate [2]float64 // shift within ±, as a share of width and height
	Scale     [2]float64 // 0 means 1 to 1
	ShearX    [2]float64 // degrees
	ShearY    [2]float64 // degrees
	Warp
}

// Apply warps.
func (o RandomAffine) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	scale := def(o.Scale, [2]float64{1, 1})
	if !(scale[0] > 0 && scale[1] >= scale[0]) {
		return nil, errors.Errorf("random affine: scale %v, want a rising range above 0", scale)
	}
	degrees := uniform(-o.Degrees, o.Degrees, rnd)
	dx, dy := o.Translate[0]*float64(p.W), o.Translate[1]*float64(p.H)
	tx, ty := math.RoundToEven(uniform(-dx, dx, rnd)), math.RoundToEven(uniform(-dy, dy, rnd))
	s := uniform(scale[0], scale[1], rnd)
	shearX, shearY := uniform(o.ShearX[0], o.ShearX[1], rnd), uniform(o.ShearY[0], o.ShearY[1], rnd)
	return p.Transform(p.H, p.W, AffineMap(float64(p.W)/2, float64(p.H)/2, degrees, tx, ty, s, shearX, shearY), o.Warp)
}

// RandomPerspective looks at the picture from a random place.
type RandomPerspective struct {
	Distortion float64 // 0 to 1; 0 means 0.5
	P          float64 // 0 means 0.5
	Warp
}

// Apply warps, or not.
func (o RandomPerspective) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if !chance(o.P, 0.5, rnd) {
		return p, nil
	}
	d := o.Distortion
	if d == 0 {
		d = 0.5
	}
	if !(d > 0 && d <= 1) {
		return nil, errors.Errorf("random perspective: distortion %v, want 0 to 1", d)
	}
	w, h := float64(p.W-1), float64(p.H-1)
	nx, ny := int(d*float64(p.W/2)), int(d*float64(p.H/2))
	inX := func() float64 { return float64(rnd.IntN(nx + 1)) }
	inY := func() float64 { return float64(rnd.IntN(ny + 1)) }
	from := [4][2]float64{{0, 0}, {w, 0}, {w, h}, {0, h}}
	to := [4][2]float64{{inX(), inY()}, {w - inX(), inY()}, {w - inX(), h - inY()}, {inX(), h - inY()}}
	k, err := PerspectiveMap(from, to)
	if err != nil {
		return p, nil // a picture of a pixel or two, whose corners fell together
	}
	return p.Perspective(k, o.Warp)
}
