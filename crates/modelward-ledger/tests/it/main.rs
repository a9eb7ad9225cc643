//! The ledger on a real file system, from outside.

#[cfg(test)]
mod files;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod python;
#[cfg(test)]
mod support;
