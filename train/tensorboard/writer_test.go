package tensorboard

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// schema is the part of TensorFlow's event.proto and summary.proto that is written, by the field numbers
// published there, for the protobuf library to decode with.
const schema = `
name: "event.proto" package: "tensorflow" syntax: "proto3"
message_type { name: "Event"
  field { name: "wall_time" number: 1 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "step" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL }
  field { name: "file_version" number: 3 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "summary" number: 5 type: TYPE_MESSAGE type_name: ".tensorflow.Summary" label: LABEL_OPTIONAL }
  field { name: "session_log" number: 7 type: TYPE_MESSAGE type_name: ".tensorflow.SessionLog" label: LABEL_OPTIONAL } }
message_type { name: "SessionLog" field { name: "status" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL } }
message_type { name: "Summary" field { name: "value" number: 1 type: TYPE_MESSAGE type_name: ".tensorflow.Value" label: LABEL_REPEATED } }
message_type { name: "Value"
  field { name: "tag" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "simple_value" number: 2 type: TYPE_FLOAT label: LABEL_OPTIONAL }
  field { name: "image" number: 4 type: TYPE_MESSAGE type_name: ".tensorflow.Image" label: LABEL_OPTIONAL }
  field { name: "histo" number: 5 type: TYPE_MESSAGE type_name: ".tensorflow.HistogramProto" label: LABEL_OPTIONAL } }
message_type { name: "Image"
  field { name: "height" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "width" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "colorspace" number: 3 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "encoded_image_string" number: 4 type: TYPE_BYTES label: LABEL_OPTIONAL } }
message_type { name: "HistogramProto"
  field { name: "min" number: 1 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "max" number: 2 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "num" number: 3 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "sum" number: 4 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "sum_squares" number: 5 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "bucket_limit" number: 6 type: TYPE_DOUBLE label: LABEL_REPEATED options { packed: true } }
  field { name: "bucket" number: 7 type: TYPE_DOUBLE label: LABEL_REPEATED options { packed: true } } }
`

// decode reads the records of a file with the protobuf library.
func decode(t *testing.T, path string) []protoreflect.Message {
	t.Helper()
	var fd descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(schema), &fd); err != nil {
		t.Fatal(err)
	}
	file, err := protodesc.NewFile(&fd, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unmask := func(m uint32) uint32 { m -= 0xa282ead8; return m>>17 | m<<15 }
	sum := func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
	var events []protoreflect.Message
	for len(b) > 0 {
		n := int(binary.LittleEndian.Uint64(b))
		if len(b) < n+16 || unmask(binary.LittleEndian.Uint32(b[8:])) != sum(b[:8]) || unmask(binary.LittleEndian.Uint32(b[12+n:])) != sum(b[12:12+n]) {
			t.Fatalf("record %d is damaged", len(events))
		}
		m := dynamicpb.NewMessage(file.Messages().ByName("Event"))
		if err := (proto.UnmarshalOptions{}).Unmarshal(b[12:12+n], m); err != nil {
			t.Fatal(err)
		}
		events = append(events, m)
		b = b[16+n:]
	}
	return events
}

func get(m protoreflect.Message, name protoreflect.Name) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByName(name))
}

func value(m protoreflect.Message) protoreflect.Message {
	return get(get(m, "summary").Message(), "value").List().Get(0).Message()
}

func TestEventsDecode(t *testing.T) {
	dir := t.TempDir()
	w, err := New(dir, 40)
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	img.SetNRGBA(1, 1, color.NRGBA{10, 20, 30, 255})
	nan := float32(math.NaN())
	for _, err := range []error{
		w.Scalar("loss/training", 41, 0.625), w.Histogram("conv.weight", 300, []float32{-1, 0, nan, 0.5, 1}),
		w.Histogram("same", 300, []float32{2, 2}), w.Histogram("none", 300, []float32{nan}), w.Image("sheet", 7, img), w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	e := decode(t, w.Path())
	if len(e) != 7 {
		t.Fatalf("%d events, want 7", len(e))
	}
	for i, m := range e {
		if m.GetUnknown() != nil || get(m, "wall_time").Float() < 1e9 {
			t.Errorf("event %d: %v", i, m)
		}
	}
	if v := get(e[0], "file_version").String(); v != "brain.Event:2" {
		t.Errorf("file version %q", v)
	}
	if get(e[1], "step").Int() != 40 || get(get(e[1], "session_log").Message(), "status").Int() != 1 {
		t.Errorf("start: %v", e[1])
	}
	if v := value(e[2]); get(e[2], "step").Int() != 41 || get(v, "tag").String() != "loss/training" || get(v, "simple_value").Float() != 0.625 {
		t.Errorf("scalar: %v", e[2])
	}
	h := get(value(e[3]), "histo").Message()
	for name, want := range map[protoreflect.Name]float64{"min": -1, "max": 1, "num": 4, "sum": 0.5, "sum_squares": 2.25} {
		if got := get(h, name).Float(); got != want {
			t.Errorf("histogram: %s is %v, want %v", name, got, want)
		}
	}
	limits, counts := get(h, "bucket_limit").List(), get(h, "bucket").List()
	total := 0.0
	for i := range counts.Len() {
		total += counts.Get(i).Float()
	}
	if limits.Len() != 64 || counts.Len() != 64 || total != 4 || counts.Get(0).Float() != 1 || counts.Get(32).Float() != 1 || limits.Get(63).Float() != 1 {
		t.Errorf("histogram: %v", h)
	}
	if h := get(value(e[4]), "histo").Message(); get(h, "num").Float() != 2 || get(h, "bucket").List().Len() != 1 {
		t.Errorf("histogram of equal values: %v", h)
	}
	p := get(value(e[6]), "image").Message()
	back, err := png.Decode(bytes.NewReader(get(p, "encoded_image_string").Bytes()))
	if err != nil || get(p, "height").Int() != 2 || get(p, "width").Int() != 3 || color.NRGBAModel.Convert(back.At(1, 1)) != img.At(1, 1) {
		t.Errorf("picture: error %v, %v", err, p)
	}
	if _, err := New(w.Path(), 0); err == nil {
		t.Error("no error for a folder that is a file")
	}
}

// TensorBoard's own reader finds what was written, where its Python package is installed.
func TestTensorBoardReads(t *testing.T) {
	if err := exec.Command("python3", "-c", "import tensorboard.backend.event_processing.event_accumulator").Run(); err != nil {
		t.Skip("python3 has no package tensorboard")
	}
	dir := t.TempDir()
	w, err := New(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		w.Scalar("loss/training", 1, 0.625), w.Scalar("loss/training", 2, 0.5), w.Histogram("conv.weight", 2, []float32{-1, 0, 0.5, 1}),
		w.Image("sheet", 2, image.NewNRGBA(image.Rect(0, 0, 3, 2))), w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := exec.Command("python3", "testdata/read.py", dir).Output()
	const want = `scalar loss/training 1 0.625
scalar loss/training 2 0.5
histogram conv.weight 2 -1.0 1.0 4.0 0.5 64
image sheet 2 3 2
`
	if err != nil || string(got) != want {
		t.Errorf("error %v, TensorBoard reads\n%s", err, got)
	}
}
