package train

import "github.com/pkg/errors"

// UnfreezeAt unfreezes the variables under some paths before an epoch, from 0: to fine-tune the head first
// and the rest later. The empty path is the whole network.
func UnfreezeAt(epoch int, paths ...string) Callback { return freezeAt(epoch, false, paths) }

// FreezeAt freezes them.
func FreezeAt(epoch int, paths ...string) Callback { return freezeAt(epoch, true, paths) }

func freezeAt(epoch int, frozen bool, paths []string) Callback {
	set := func(r *Run, at int) error {
		if at != epoch {
			return nil
		}
		return errors.Wrapf(r.setFrozen(frozen, paths), "freezing at epoch %d", epoch)
	}
	return Hooks{
		OnBegin: func(r *Run) error {
			if r.Resumed { // which variables are frozen came with the checkpoint
				return nil
			}
			return set(r, 0)
		},
		OnEpochEnd: func(r *Run) error { return set(r, r.Epoch+1) },
	}
}
