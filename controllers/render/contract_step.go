package render

import (
	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

func contractStep(s *v1alpha1.Step) (config.Step, error) {
	step, err := contractStepBase(&s.StepBase)
	step.Respond = contractRespond(s.Respond)
	if e := s.OnError; e != nil {
		step.OnError = contractOnError(string(e.Type), e.Value)
		step.OnError.Respond = contractRespond(e.Respond)
	}
	return step, err
}

func contractFunctionStep(s *v1alpha1.FunctionStep) (config.Step, error) {
	step, err := contractStepBase(&s.StepBase)
	if e := s.OnError; e != nil {
		step.OnError = contractOnError(string(e.Type), e.Value)
	}
	return step, err
}

func contractStepBase(s *v1alpha1.StepBase) (config.Step, error) {
	step := config.Step{Name: s.Name, When: s.When, Action: contractAction(&s.Action)}
	if s.Set != nil {
		step.Set = &config.Set{Value: jsonValue(&s.Set.Value)}
	}
	var err error
	if step.Timeout, err = optionalDuration("timeout", s.Timeout); err != nil {
		return step, err
	}
	if step.Gather, err = member("gather", s.Gather, contractGather); err != nil {
		return step, err
	}
	step.ForEach, err = member("forEach", s.ForEach, contractForEach)
	return step, err
}

func contractOnError(kind string, value *v1alpha1.JSON) *config.OnError {
	onError := &config.OnError{Value: jsonValue(value)}
	if kind == v1alpha1.OnErrorContinue {
		onError.Continue = &config.Continue{}
	}
	return onError
}

func contractRespond(r *v1alpha1.Respond) *config.Respond {
	if r == nil {
		return nil
	}
	return &config.Respond{Status: int(r.Status), Body: jsonValue(r.Body)}
}

func contractGather(g *v1alpha1.Gather) (config.Gather, error) {
	gather := config.Gather{Strategy: string(g.Strategy)}
	if v := g.Vote; v != nil {
		gather.Vote = &config.Vote{Key: v.Key, Quorum: int(v.Quorum), Ties: string(v.Ties)}
	}
	var err error
	if gather.Branches, err = each("branches", g.Branches, contractBranch); err != nil {
		return gather, err
	}
	if gather.First, err = member("first", g.First, contractFirst); err != nil {
		return gather, err
	}
	gather.Fallback, err = member("fallback", g.Fallback, contractFallback)
	return gather, err
}

func contractFirst(f *v1alpha1.First) (config.First, error) {
	delay, err := optionalDuration("hedgeDelay", f.HedgeDelay)
	return config.First{HedgeDelay: delay}, err
}

func contractFallback(f *v1alpha1.Fallback) (config.Fallback, error) {
	firstToken, err := optionalDuration("firstToken", f.FirstToken)
	return config.Fallback{FirstToken: firstToken}, err
}

func contractBranch(b *v1alpha1.Branch) (config.Branch, error) {
	branch := config.Branch{Name: b.Name, Required: b.Required, When: b.When, Action: contractAction(&b.Action)}
	if e := b.OnError; e != nil {
		branch.OnError = contractOnError(string(e.Type), e.Value)
	}
	var err error
	branch.Timeout, err = optionalDuration("timeout", b.Timeout)
	return branch, err
}

func contractForEach(f *v1alpha1.ForEach) (config.ForEach, error) {
	forEach := config.ForEach{Items: f.Items, MaxItems: int(f.MaxItems), MaxParallel: int(f.MaxParallel)}
	do, err := member("do", f.Do, contractForEachCall)
	forEach.Do = valueOf(do)
	return forEach, err
}

func contractForEachCall(f *v1alpha1.ForEachCall) (config.Do, error) {
	do := config.Do{Action: contractAction(&f.Action)}
	if e := f.OnError; e != nil {
		do.OnError = contractOnError(string(e.Type), e.Value)
	}
	var err error
	do.Timeout, err = optionalDuration("timeout", f.Timeout)
	return do, err
}
