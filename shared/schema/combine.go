package schema

import "bytes"

// combined says whether n refers to other schemas for its own value.
func (n *node) combined() bool { return len(n.all)+len(n.any)+len(n.one) > 0 }

// others judges the value by the schemas that n refers to, and stays before it.
func (s *scanner) others(n *node, depth int) bool {
	begin := s.at
	ok := s.allOf(n.all, depth) && s.anyOf(n.any, depth) && s.oneOf(n.one, depth)
	s.at = begin
	return ok
}

func (s *scanner) allOf(nodes []*node, depth int) bool {
	begin := s.at
	for _, n := range nodes {
		if !s.value(n, depth+1) {
			return false
		}
		s.at = begin
	}
	return true
}

func (s *scanner) anyOf(nodes []*node, depth int) bool {
	begin := s.at
	for _, n := range nodes {
		ok := s.value(n, depth+1)
		s.at = begin
		if ok || s.unsure {
			return ok
		}
	}
	return len(nodes) == 0
}

// oneOf must be certain of each no. One can come early, of a member that another of the
// same name further on replaces, so that objects with such members are left to the library.
func (s *scanner) oneOf(nodes []*node, depth int) bool {
	if len(nodes) == 0 {
		return true
	}
	begin, matched := s.at, 0
	if !s.distinct(depth) {
		return s.giveUp()
	}
	for _, n := range nodes {
		s.at = begin
		if s.value(n, depth+1) {
			matched++
		}
		if s.unsure {
			return false
		}
	}
	s.at = begin
	return matched == 1
}

// maxMembers bounds the objects that distinct compares the names of.
const maxMembers = 32

// distinct reads a value and reports whether all names in each object are plainly
// different.
func (s *scanner) distinct(depth int) bool {
	if s.steps--; depth > maxNesting || s.steps < 0 {
		return false
	}
	switch s.peek() {
	case '{':
		return s.members(depth)
	case '[':
		return s.elements(depth)
	}
	return s.value(anything, depth)
}

func (s *scanner) members(depth int) bool {
	var names [maxMembers][]byte
	for i := 0; ; i++ {
		s.at++ // the brace or the comma
		s.space()
		if i == 0 && s.take('}') {
			return true
		}
		name, plain, ok := s.quoted()
		if !ok || !plain || i == maxMembers {
			return false
		}
		for _, other := range names[:i] {
			if bytes.Equal(name, other) {
				return false
			}
		}
		names[i] = name
		s.space()
		if !s.take(':') {
			return false
		}
		s.space()
		if !s.distinct(depth + 1) {
			return false
		}
		s.space()
		if s.peek() != ',' {
			return s.take('}')
		}
	}
}

func (s *scanner) elements(depth int) bool {
	for i := 0; ; i++ {
		s.at++ // the bracket or the comma
		s.space()
		if i == 0 && s.take(']') {
			return true
		}
		if !s.distinct(depth + 1) {
			return false
		}
		s.space()
		if s.peek() != ',' {
			return s.take(']')
		}
	}
}
