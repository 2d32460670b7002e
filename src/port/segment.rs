//! Cutting large frames.
