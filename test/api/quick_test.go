package api
import ("testing")
func TestQuick(t *testing.T){ }
