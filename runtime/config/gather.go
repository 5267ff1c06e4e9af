package config

// Races says whether one branch wins, and sends nothing before it has won.
func (g *Gather) Races() bool { return g.Strategy == GatherFirst || g.Strategy == GatherFallback }

// MustSucceed says whether a gather fails with the branch.
func (b *Branch) MustSucceed(strategy string) bool {
	if b.Required != nil {
		return *b.Required
	}
	return strategy == GatherAll
}

// MayBeSkipped says whether so many branches may be left out, by their when, that none can win.
func (g *Gather) MayBeSkipped() bool {
	certain := 0
	for i := range g.Branches {
		if g.Branches[i].When == "" {
			certain++
		}
	}
	switch g.Strategy {
	case GatherFirst, GatherFallback:
		return certain == 0
	case GatherVote:
		return certain < g.Vote.Needed(len(g.Branches))
	}
	return false
}

// Needed is how many of so many branches have to vote for there to be a winner at all.
func (v *Vote) Needed(branches int) int {
	switch {
	case v == nil || v.Ties == TiesMostVotes:
		return 1
	case v.Quorum > 0:
		return v.Quorum
	}
	return branches/2 + 1
}
