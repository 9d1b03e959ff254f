package hub

import (
	"context"
	"os"
	"time"

	"github.com/pkg/errors"
)

// lock waits until no other process holds the lock file, which stays there when it is unlocked: to remove it
// would let two processes lock two files of one name.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	for {
		ok, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, errors.Wrapf(err, "locking %s", path)
		}
		if ok {
			return func() { f.Close() }, nil // closing unlocks
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, errors.Wrapf(ctx.Err(), "waiting for another process that downloads (%s)", path)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
