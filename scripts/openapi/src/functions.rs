//! What each function says of itself: its own `wire.rs`, included a second time. The list is made by build.rs.

include!(concat!(env!("OUT_DIR"), "/functions.rs"));
