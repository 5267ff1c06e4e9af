package schema

// IsText says whether the schema says that each value is a string.
func (s *Schema) IsText() bool {
	types := s.compiled.Types
	if types == nil {
		return false
	}
	names := types.ToStrings()
	return len(names) == 1 && names[0] == "string"
}
