//! Placeholder module until the first slice lands.
