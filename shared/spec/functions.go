package spec

// Functions are the names of all Lambda functions: those of the stages in the order that
// an event takes, then those that look after them.
func Functions() []string {
	var names []string
	for _, s := range Stages {
		names = append(names, s.Name)
	}
	return append(names, Redrive, OnCall, Monitor)
}
