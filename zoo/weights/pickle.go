package weights

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"

	"github.com/pkg/errors"
)

// Limits of a pickle. The state dict of the zoo's largest network takes 0.2 MB and 20,000 instructions.
const (
	maxPickle = 64 << 20 // bytes
	maxSteps  = 1 << 21  // instructions, each of which makes at most one value of some tens of bytes
)

// What a pickle makes, beside bool, int64, float64, string and nil. Lists and dicts may hold themselves.
type (
	pickleTuple  []any
	pickleList   struct{ items []any }
	pickleDict   struct{ keys, values []any } // in the order of the file; also for OrderedDict
	pickleGlobal string                       // "module.name"
	pickleOther  struct{ class pickleGlobal } // an object that holds no weights
	pickleMark   struct{}
)

// unpickler interprets a pickle (Python's Lib/pickletools.py) without running anything in it: a global is no more
// than its name, and what is called by that name is done by call.
type unpickler struct {
	r     *bufio.Reader
	left  int64 // bytes that may still be read
	stack []any
	memo  map[uint32]any

	call       func(f pickleGlobal, args pickleTuple) (any, error)
	persistent func(id any) (any, error)
}

func newUnpickler(r io.Reader) *unpickler {
	return &unpickler{r: bufio.NewReader(r), left: maxPickle}
}

// load reads one pickle, up to its end and no further.
func (u *unpickler) load() (any, error) {
	u.stack, u.memo = nil, make(map[uint32]any)
	for range maxSteps {
		op, err := u.byte()
		if err != nil {
			return nil, err
		}
		if op == '.' {
			return u.pop()
		}
		if err := u.step(op); err != nil {
			return nil, errors.WithMessagef(err, "pickle: instruction %q", op)
		}
	}
	return nil, errors.Errorf("pickle: more than %d instructions", maxSteps)
}

func (u *unpickler) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := u.uint(1)
		if err == nil && v > 5 {
			err = errors.Errorf("protocol %d, want at most 5", v)
		}
		return err
	case 0x95: // FRAME: only says how much to read at once
		_, err := u.uint(8)
		return err
	case '(':
		u.push(pickleMark{})
	case '0':
		_, err := u.pop()
		return err
	case '1':
		_, err := u.popMark()
		return err
	case '2':
		return u.with(1, func(v []any) (any, error) { u.push(v[0]); return v[0], nil })
	case 'N':
		u.push(nil)
	case 0x88:
		u.push(true)
	case 0x89:
		u.push(false)
	case 'K', 'M', 'J', 0x8a:
		return u.integer(op)
	case 'G':
		b, err := u.bytes(8)
		if err == nil {
			u.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
		}
		return err
	case 'X', 'T', 'B':
		return u.text(4)
	case 0x8c, 'U', 'C':
		return u.text(1)
	case 0x8d, 0x8e:
		return u.text(8)
	case '}':
		u.push(new(pickleDict))
	case ']':
		u.push(new(pickleList))
	case ')':
		u.push(pickleTuple(nil))
	case 't':
		items, err := u.popMark()
		u.push(pickleTuple(items))
		return err
	case 'l':
		items, err := u.popMark()
		u.push(&pickleList{items})
		return err
	case 0x85, 0x86, 0x87:
		return u.with(int(op)-0x84, func(v []any) (any, error) { return append(pickleTuple(nil), v...), nil })
	case 'a':
		return u.with(2, func(v []any) (any, error) { return v[0], extend(v[0], v[1:]) })
	case 'e':
		items, err := u.popMark()
		if err != nil {
			return err
		}
		return u.with(1, func(v []any) (any, error) { return v[0], extend(v[0], items) })
	case 's':
		return u.with(3, func(v []any) (any, error) { return v[0], set(v[0], v[1:]) })
	case 'u':
		items, err := u.popMark()
		if err != nil {
			return err
		}
		return u.with(1, func(v []any) (any, error) { return v[0], set(v[0], items) })
	case 'q', 'r', 0x94:
		return u.remember(op)
	case 'h', 'j':
		i, err := u.uint(widths[op])
		if err != nil {
			return err
		}
		v, ok := u.memo[uint32(i)]
		if !ok {
			return errors.Errorf("nothing is remembered as %d", i)
		}
		u.push(v)
	case 'c':
		module, err := u.line()
		if err != nil {
			return err
		}
		name, err := u.line()
		u.push(pickleGlobal(module + "." + name))
		return err
	case 0x93:
		return u.with(2, func(v []any) (any, error) {
			module, ok1 := v[0].(string)
			name, ok2 := v[1].(string)
			if !ok1 || !ok2 {
				return nil, errors.New("a global's name is not a string")
			}
			return pickleGlobal(module + "." + name), nil
		})
	case 'R', 0x81: // REDUCE, NEWOBJ
		return u.with(2, func(v []any) (any, error) {
			f, ok1 := v[0].(pickleGlobal)
			args, ok2 := v[1].(pickleTuple)
			if !ok1 || !ok2 {
				return nil, errors.Errorf("%s is called with %s, want a global and a tuple", describe(v[0]), describe(v[1]))
			}
			return u.call(f, args)
		})
	case 'b': // BUILD: the state of an object; nothing that is kept has any
		return u.with(2, func(v []any) (any, error) { return v[0], nil })
	case 'Q':
		return u.with(1, func(v []any) (any, error) { return u.persistent(v[0]) })
	default:
		return errors.New("no tensor needs it")
	}
	return nil
}

// widths are the bytes of the number behind an instruction.
var widths = map[byte]int64{'h': 1, 'j': 4, 'K': 1, 'M': 2, 'q': 1, 'r': 4}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

func (u *unpickler) pop() (any, error) {
	n := len(u.stack) - 1
	if n < 0 {
		return nil, errors.New("pickle: the stack is empty")
	}
	v := u.stack[n]
	if _, ok := v.(pickleMark); ok {
		return nil, errors.New("pickle: a mark in place of a value")
	}
	u.stack = u.stack[:n]
	return v, nil
}

// popMark takes what lies above the last mark, and the mark.
func (u *unpickler) popMark() ([]any, error) {
	for i := len(u.stack) - 1; i >= 0; i-- {
		if _, ok := u.stack[i].(pickleMark); ok {
			items := append([]any(nil), u.stack[i+1:]...)
			u.stack = u.stack[:i]
			return items, nil
		}
	}
	return nil, errors.New("no mark")
}

// with replaces the n values on top by one.
func (u *unpickler) with(n int, f func([]any) (any, error)) error {
	v := make([]any, n)
	for i := n - 1; i >= 0; i-- {
		var err error
		if v[i], err = u.pop(); err != nil {
			return err
		}
	}
	result, err := f(v)
	u.push(result)
	return err
}

func (u *unpickler) remember(op byte) error {
	at := uint64(len(u.memo)) // for 0x94, MEMOIZE
	if n := widths[op]; n > 0 {
		var err error
		if at, err = u.uint(n); err != nil {
			return err
		}
	}
	v, err := u.pop()
	if err != nil {
		return err
	}
	u.push(v)
	u.memo[uint32(at)] = v
	return nil
}

func (u *unpickler) integer(op byte) error {
	switch op {
	case 'K', 'M':
		v, err := u.uint(widths[op])
		u.push(int64(v))
		return err
	case 'J':
		v, err := u.uint(4)
		u.push(int64(int32(v)))
		return err
	}
	n, err := u.uint(1)
	if err != nil {
		return err
	}
	b, err := u.bytes(int64(n))
	if err != nil {
		return err
	}
	// Little-endian two's complement. What is longer than 8 bytes is no size of anything: it is kept as a string.
	if n > 8 {
		u.push(string(b))
		return nil
	}
	var v int64
	for i := int(n) - 1; i >= 0; i-- {
		v = v<<8 | int64(b[i])
	}
	if n > 0 && n < 8 && b[n-1] >= 0x80 {
		v -= 1 << (8 * n)
	}
	u.push(v)
	return nil
}

func (u *unpickler) text(width int64) error {
	n, err := u.uint(width)
	if err != nil {
		return err
	}
	if n > maxPickle {
		return errors.Errorf("string of %d bytes, want at most %d", n, maxPickle)
	}
	b, err := u.bytes(int64(n))
	u.push(string(b))
	return err
}

func (u *unpickler) byte() (byte, error) {
	if u.left--; u.left < 0 {
		return 0, errors.Errorf("pickle: longer than %d bytes", maxPickle)
	}
	b, err := u.r.ReadByte()
	return b, errors.Wrap(noEOF(err), "pickle")
}

// uint reads a little-endian number of n bytes.
func (u *unpickler) uint(n int64) (uint64, error) {
	var b [8]byte
	read, err := u.bytes(n)
	copy(b[:], read)
	return binary.LittleEndian.Uint64(b[:]), err
}

// bytes reads n bytes. It asks for memory as they come, not as they are announced.
func (u *unpickler) bytes(n int64) ([]byte, error) {
	if u.left -= n; u.left < 0 {
		return nil, errors.Errorf("pickle: longer than %d bytes", maxPickle)
	}
	var all []byte
	for n > 0 {
		part := make([]byte, min(n, 1<<16))
		if _, err := io.ReadFull(u.r, part); err != nil {
			return nil, errors.Wrap(noEOF(err), "pickle")
		}
		if n -= int64(len(part)); all == nil {
			all = part
		} else {
			all = append(all, part...)
		}
	}
	return all, nil
}

// line reads up to a newline.
func (u *unpickler) line() (string, error) {
	var b []byte
	for len(b) < 1<<10 {
		c, err := u.byte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return string(b), nil
		}
		b = append(b, c)
	}
	return "", errors.New("name of more than 1024 bytes")
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// extend appends to a list. Objects without weights may be lists too; what goes into them is dropped.
func extend(list any, items []any) error {
	switch l := list.(type) {
	case *pickleList:
		l.items = append(l.items, items...)
		return nil
	case pickleOther:
		return nil
	}
	return errors.Errorf("%s is not a list", describe(list))
}

// set puts keys and values, by turns, into a dict.
func set(dict any, items []any) error {
	if len(items)%2 != 0 {
		return errors.New("a key without value")
	}
	switch d := dict.(type) {
	case *pickleDict:
		for i := 0; i < len(items); i += 2 {
			d.keys = append(d.keys, items[i])
			d.values = append(d.values, items[i+1])
		}
		return nil
	case pickleOther:
		return nil
	}
	return errors.Errorf("%s is not a dict", describe(dict))
}
