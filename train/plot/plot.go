// Package plot draws what a training run has to show, as PNG files: curves, sheets of pictures with
// captions, and confusion matrices.
package plot

import (
	"image"
	"image/color"
	"image/png"
	"io"

	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/internal/atomicfile"
)

// The colours are those of Okabe and Ito (2008), which people with any kind of colour vision can tell apart.
var (
	black  = color.NRGBA{0x22, 0x22, 0x22, 0xff}
	grey   = color.NRGBA{0x77, 0x77, 0x77, 0xff}
	pale   = color.NRGBA{0xe4, 0xe4, 0xe4, 0xff}
	white  = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	blue   = color.NRGBA{0x00, 0x72, 0xb2, 0xff}
	orange = color.NRGBA{0xd5, 0x5e, 0x00, 0xff}

	palette = []color.NRGBA{blue, orange, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff}, {0xe6, 0x9f, 0x00, 0xff}, {0x56, 0xb4, 0xe9, 0xff}}
)

// maxSide keeps a slip in a size from asking for all of the memory.
const maxSide = 1 << 14 // pixels

func newImage(what string, width, height int) (*image.NRGBA, error) {
	if width > maxSide || height > maxSide {
		return nil, errors.Errorf("%s: a picture of %d×%d pixels is larger than %d on a side; show less", what, width, height, maxSide)
	}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	fill(img, img.Rect, white)
	return img, nil
}

func save(path string, img image.Image) error {
	return atomicfile.Write(path, func(w io.Writer) error { return png.Encode(w, img) })
}
