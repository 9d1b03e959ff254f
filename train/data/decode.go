package data

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"github.com/pkg/errors"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// DecodeConfig says how pictures are decoded. The zero value is for pictures of any source.
type DecodeConfig struct {
	MaxPixels int  // a picture that claims more is an error, before any is decoded; 0 means 2²⁶
	AsStored  bool // leave the orientation that a camera noted out of account, as PIL does unless asked
}

const (
	maxPixels = 1 << 26 // a photograph of 64 million pixels; 256 MB when decoded
	maxFile   = 1 << 28 // bytes of a picture's file
)

// codec is a format of pictures. The list is ours, and not that of package image, so that what can be read
// does not hang on what a program happens to import.
type codec struct {
	name   string
	magic  func(b []byte) bool
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	exif   func(b []byte) []byte // nil for formats without
}

func starts(s string) func([]byte) bool {
	return func(b []byte) bool { return bytes.HasPrefix(b, []byte(s)) }
}

var codecs = []codec{
	{"JPEG", starts("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode, exifJPEG},
	{"PNG", starts("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode, exifPNG},
	{"GIF", starts("GIF8"), gif.DecodeConfig, gif.Decode, nil},
	{"BMP", starts("BM"), bmp.DecodeConfig, bmp.Decode, nil},
	{"TIFF", func(b []byte) bool { return starts("II*\x00")(b) || starts("MM\x00*")(b) }, tiff.DecodeConfig, tiff.Decode, exifTIFF},
	{"WebP", func(b []byte) bool { return starts("RIFF")(b) && len(b) >= 12 && string(b[8:12]) == "WEBP" }, webp.DecodeConfig, webp.Decode, exifWebP},
	{"PNM", func(b []byte) bool { return len(b) > 2 && b[0] == 'P' && bytes.IndexByte([]byte("2356"), b[1]) >= 0 }, pnmConfig, pnmDecode, nil},
}

// Decode decodes a picture: JPEG, PNG, GIF (its first frame), BMP, TIFF, WebP, PGM or PPM, told by its first
// bytes. It is turned upright as its EXIF data says. A decoder that panics is an error.
func Decode(b []byte, c DecodeConfig) (img image.Image, err error) {
	defer func() {
		if r := recover(); r != nil {
			img, err = nil, errors.Errorf("picture: the decoder panicked: %v", r)
		}
	}()
	limit := c.MaxPixels
	if limit == 0 {
		limit = maxPixels
	}
	for _, k := range codecs {
		if !k.magic(b) {
			continue
		}
		conf, err := k.config(bytes.NewReader(b))
		if err != nil {
			return nil, errors.Wrap(err, k.name)
		}
		if conf.Width <= 0 || conf.Height <= 0 || conf.Width > limit/conf.Height {
			return nil, errors.Errorf("%s: it claims %d×%d pixels, want 1 to %d", k.name, conf.Width, conf.Height, limit)
		}
		if img, err = k.decode(bytes.NewReader(b)); err != nil {
			return nil, errors.Wrap(err, k.name)
		}
		if img.Bounds().Empty() {
			return nil, errors.Errorf("%s: no pixels", k.name)
		}
		if k.exif != nil && !c.AsStored {
			img = upright(img, orientation(k.exif(b)))
		}
		return img, nil
	}
	return nil, errors.Errorf("not a picture that can be read: it starts with %q; want JPEG, PNG, GIF, BMP, TIFF, WebP, PGM or PPM", b[:min(len(b), 8)])
}

// orientation is the value of EXIF tag 0x0112, 1 to 8 (JEITA CP-3451, section 4.6.4), in a TIFF structure; 1
// when there is none.
func orientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(b[4:]))
	if at > int64(len(b))-2 {
		return 1
	}
	count := int(order.Uint16(b[at:]))
	for entries := b[at+2:]; count > 0 && len(entries) >= 12; entries, count = entries[12:], count-1 {
		const short = 3
		if order.Uint16(entries) == 0x0112 && order.Uint16(entries[2:]) == short {
			if v := int(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}

func exifTIFF(b []byte) []byte { return b }

// exifJPEG is the first APP1 segment with EXIF data.
func exifJPEG(b []byte) []byte {
	for b = b[2:]; len(b) >= 4 && b[0] == 0xff; {
		marker, n := b[1], int(binary.BigEndian.Uint16(b[2:]))
		switch {
		case marker == 0xff: // padding
			b = b[1:]
			continue
		case marker == 0xda || n < 2 || n+2 > len(b): // the scan begins
			return nil
		case marker == 0xe1 && bytes.HasPrefix(b[4:n+2], []byte("Exif\x00\x00")):
			return b[10 : n+2]
		}
		b = b[n+2:]
	}
	return nil
}

// exifPNG is the chunk eXIf.
func exifPNG(b []byte) []byte {
	for b = b[8:]; len(b) >= 12; {
		n := int64(binary.BigEndian.Uint32(b))
		if n > int64(len(b))-12 {
			return nil
		}
		if string(b[4:8]) == "eXIf" {
			return b[8 : 8+n]
		}
		b = b[12+n:]
	}
	return nil
}

// exifWebP is the chunk EXIF.
func exifWebP(b []byte) []byte {
	for b = b[12:]; len(b) >= 8; {
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		if n > int64(len(b))-8 {
			return nil
		}
		if string(b[:4]) == "EXIF" {
			return bytes.TrimPrefix(b[8:8+n], []byte("Exif\x00\x00"))
		}
		b = b[min(8+n+n&1, int64(len(b))):]
	}
	return nil
}
