package weights

import "strings"

// Option changes how weights are loaded.
type Option func(*loading)

type loading struct {
	skip    []string
	head    bool
	partial bool
	rename  []func(string) string
	keras   KerasNames
}

// Skip leaves the variables under the given scopes as they are and passes over what the file has under them:
// "fc" means fc.weight and fc.bias. Scopes are the network's.
func Skip(scopes ...string) Option {
	return func(l *loading) { l.skip = append(l.skip, scopes...) }
}

// SkipHead leaves the classifier as it is, for fine-tuning on other classes: the layer that makes the class
// scores, and those of auxiliary heads. It is known by its name, one of those of torchvision, timm and this
// library: fc, linear, logits, classif, last_linear, head.fc, classifier, or classifier.N with the largest N.
func SkipHead() Option { return func(l *loading) { l.head = true } }

// Rename gives every tensor of the file the name that f says; one for which that is empty is passed over.
// Several Renames apply in their order.
func Rename(f func(name string) string) Option {
	return func(l *loading) { l.rename = append(l.rename, f) }
}

// Partial loads what the file and the network have in common. Shapes must agree, and there must be something.
func Partial() Option { return func(l *loading) { l.partial = true } }

// auxHeads are the classifiers of auxiliary heads.
var auxHeads = []string{"AuxLogits.fc", "AuxLogits.last_linear", "aux1.fc2", "aux2.fc2", "aux1.fc", "aux2.fc"}

// heads are the names of classifiers; where several are in a network the first is the one (Inception-ResNet-v1
// for faces has logits behind the embedding last_linear).
var heads = []string{"logits", "classif", "last_linear", "head.fc", "fc", "linear", "classifier"}

// headScopes finds the classifiers among the names of variables.
func headScopes(names []string) []string {
	var found []string
	has := func(scope string) bool {
		for _, n := range names {
			if under(n, scope) {
				return true
			}
		}
		return false
	}
	for _, h := range auxHeads {
		if has(h) {
			found = append(found, h)
		}
	}
	for _, h := range heads {
		if !has(h) {
			continue
		}
		if h != "classifier" {
			return append(found, h)
		}
		last := h
		for _, n := range names {
			if rest, ok := strings.CutPrefix(n, "classifier."); ok && len(rest) > 1 && rest[1] == '.' && rest[0] >= '0' && rest[0] <= '9' {
				if scope := "classifier." + rest[:1]; last == h || scope > last {
					last = scope
				}
			}
		}
		return append(found, last)
	}
	return found
}

// under tells whether a name is that of a scope or of something in it.
func under(name, scope string) bool {
	return scope == "" || name == scope || strings.HasPrefix(name, scope+".")
}

func (l *loading) skips(name string) bool {
	for _, s := range l.skip {
		if under(name, s) {
			return true
		}
	}
	return false
}
