//! Bounded containers: everything that a guest can fill has a limit and says when it is reached.
