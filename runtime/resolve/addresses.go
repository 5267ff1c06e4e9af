package resolve

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"slices"

	"github.com/llmservice/llmservice/runtime/config/addresses"
)

// MaxAddresses is how many addresses of a name are used, of each family. Of more, each process uses others, and goes on using
// them.
const MaxAddresses = 128

// seed makes processes choose differently.
var seed = maphash.MakeSeed()

// Addresses are those of a name that may be connected to, each of them once. The zero value has none. It does not change.
type Addresses struct {
	// First are of the family that RFC 6724 prefers here, and Others of the other one. Most names have only one family.
	First, Others []netip.Addr
}

// addressesOf keeps of what a name was resolved to what may be used. A name with one address of each family has none: a connection
// to the name tries both (RFC 8305).
func addressesOf(all []netip.Addr, rules *addresses.Rules) *Addresses {
	var usable []netip.Addr
	for _, a := range all {
		if a = a.Unmap(); a.Zone() == "" && rules.Check(a) == nil {
			usable = append(usable, a)
		}
	}
	if len(usable) == 0 {
		return &Addresses{}
	}
	is4 := usable[0].Is4()
	found := &Addresses{
		First:  bounded(usable, func(a netip.Addr) bool { return a.Is4() == is4 }),
		Others: bounded(usable, func(a netip.Addr) bool { return a.Is4() != is4 }),
	}
	if len(found.First) == 1 && len(found.Others) == 1 {
		return &Addresses{}
	}
	return found
}

// bounded are MaxAddresses of those of a family, in ascending order. Which they are does not depend on the order of an answer.
func bounded(all []netip.Addr, of func(netip.Addr) bool) []netip.Addr {
	var family []netip.Addr
	for _, a := range all {
		if of(a) {
			family = append(family, a)
		}
	}
	slices.SortFunc(family, netip.Addr.Compare)
	family = slices.Compact(family)
	if len(family) <= MaxAddresses {
		return family
	}
	slices.SortFunc(family, func(a, b netip.Addr) int {
		return cmp.Compare(maphash.Comparable(seed, a), maphash.Comparable(seed, b))
	})
	family = family[:MaxAddresses:MaxAddresses]
	slices.SortFunc(family, netip.Addr.Compare)
	return family
}

// Has reports whether an address is one of them.
func (a *Addresses) Has(address netip.Addr) bool {
	return slices.Contains(a.First, address) || slices.Contains(a.Others, address)
}

func (a *Addresses) equal(b *Addresses) bool {
	return slices.Equal(a.First, b.First) && slices.Equal(a.Others, b.Others)
}
