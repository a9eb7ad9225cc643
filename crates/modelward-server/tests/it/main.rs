//! Promises of the control plane, kept from the outside.

mod endpoints;
