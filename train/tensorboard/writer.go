// Package tensorboard writes event files that TensorBoard reads: scalars, histograms and pictures by step.
//
// An event file is a sequence of records (TensorFlow's "TFRecord": length, checksum of the length, bytes,
// checksum of the bytes), each an Event message in the encoding of protocol buffers
// (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto). The few messages that are
// needed are encoded here, which saves their library. testdata/read.py prints what TensorBoard itself finds in them.
package tensorboard

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/pkg/errors"
)

// Writer appends events to a file. It serves one goroutine at a time.
type Writer struct {
	path string
	f    *os.File
	w    *bufio.Writer
	err  error // the first
}

// New starts an event file in a folder, which is made if need be. Of the files that earlier runs left in it,
// TensorBoard drops what was said of step first and later ones: a resumed run says it again.
func New(dir string, first int) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, errors.Wrap(err, "tensorboard")
	}
	now := time.Now()
	var f *os.File
	var err error
	for n := range 1000 { // two runs in one second
		name := fmt.Sprintf("events.out.tfevents.%010d.stheno.%d.%d", now.Unix(), os.Getpid(), n)
		f, err = os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !os.IsExist(err) {
			break
		}
	}
	if err != nil {
		return nil, errors.Wrap(err, "tensorboard")
	}
	w := &Writer{path: f.Name(), f: f, w: bufio.NewWriter(f)}
	var version, start message
	version.text(3, "brain.Event:2")
	w.event(0, version)
	var log message
	log.varint(1, 1) // SessionLog.status: START
	start.bytes(7, log)
	w.event(first, start)
	return w, w.Flush()
}

// Path is the file's name.
func (w *Writer) Path() string { return w.path }

// Scalar writes one number.
func (w *Writer) Scalar(tag string, step int, v float64) error {
	var value message
	value.float(2, float32(v))
	return w.summary(tag, step, value)
}

const bins = 64

// Histogram writes how values are spread, in 64 bins from the least to the largest. Values that are not
// finite are left out.
func (w *Writer) Histogram(tag string, step int, values []float32) error {
	lo, hi := math.Inf(1), math.Inf(-1)
	var n, sum, squares float64
	for _, v := range values {
		x := float64(v)
		if x-x != 0 {
			continue
		}
		lo, hi = min(lo, x), max(hi, x)
		n++
		sum += x
		squares += x * x
	}
	if n == 0 {
		lo, hi = 0, 0
	}
	limits, counts := []float64{hi}, []float64{n}
	if lo < hi {
		limits, counts = make([]float64, bins), make([]float64, bins)
		for i := range limits {
			limits[i] = lo + (hi-lo)*float64(i+1)/bins
		}
		limits[bins-1] = hi
		for _, v := range values {
			if x := float64(v); x-x == 0 {
				counts[min(int((x-lo)/(hi-lo)*bins), bins-1)]++
			}
		}
	}
	var h, value message
	for i, v := range []float64{lo, hi, n, sum, squares} {
		h.double(i+1, v)
	}
	h.doubles(6, limits)
	h.doubles(7, counts)
	value.bytes(5, h)
	return w.summary(tag, step, value)
}

// Image writes a picture.
func (w *Writer) Image(tag string, step int, img image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return errors.Wrap(err, "tensorboard")
	}
	var m, value message
	m.varint(1, uint64(img.Bounds().Dy()))
	m.varint(2, uint64(img.Bounds().Dx()))
	m.varint(3, 4) // colour space: red, green, blue, alpha
	m.bytes(4, b.Bytes())
	value.bytes(4, m)
	return w.summary(tag, step, value)
}

func (w *Writer) summary(tag string, step int, value message) error {
	var v, s, e message
	v.text(1, tag)
	v = append(v, value...)
	s.bytes(1, v)
	e.bytes(5, s)
	w.event(step, e)
	return w.err
}

// event writes a record of the message with time and step.
func (w *Writer) event(step int, body message) {
	if w.err != nil {
		return
	}
	var e message
	e.double(1, float64(time.Now().UnixMicro())/1e6)
	e.varint(2, uint64(step))
	e = append(e, body...)
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(e)))
	head = binary.LittleEndian.AppendUint32(head, masked(head))
	for _, b := range [][]byte{head, e, binary.LittleEndian.AppendUint32(nil, masked(e))} {
		if _, err := w.w.Write(b); err != nil {
			w.err = errors.Wrap(err, "tensorboard")
			return
		}
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the CRC-32C as records have it, turned and shifted so that the sum of bytes that hold a sum is
// not special.
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// Flush hands all events to the system.
func (w *Writer) Flush() error {
	if w.err == nil {
		w.err = errors.Wrap(w.w.Flush(), "tensorboard")
	}
	return w.err
}

// Close flushes and closes the file.
func (w *Writer) Close() error {
	err := w.Flush()
	if e := w.f.Close(); err == nil {
		err = errors.Wrap(e, "tensorboard")
	}
	return err
}

// message is the encoding of a protocol buffer, field by field.
type message []byte

const ( // wire types
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

func (m *message) key(field, wire int) { *m = binary.AppendUvarint(*m, uint64(field<<3|wire)) }

func (m *message) varint(field int, v uint64) {
	m.key(field, wireVarint)
	*m = binary.AppendUvarint(*m, v)
}

func (m *message) double(field int, v float64) {
	m.key(field, wire64)
	*m = binary.LittleEndian.AppendUint64(*m, math.Float64bits(v))
}

func (m *message) float(field int, v float32) {
	m.key(field, wire32)
	*m = binary.LittleEndian.AppendUint32(*m, math.Float32bits(v))
}

func (m *message) bytes(field int, b []byte) {
	m.key(field, wireBytes)
	*m = binary.AppendUvarint(*m, uint64(len(b)))
	*m = append(*m, b...)
}

func (m *message) text(field int, s string) { m.bytes(field, []byte(s)) }

// doubles is a packed repeated field.
func (m *message) doubles(field int, values []float64) {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	m.bytes(field, b)
}
