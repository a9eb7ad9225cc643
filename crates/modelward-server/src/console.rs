//! The console: pages written on the server from plain views, in one language of the eye.
//!
//! A page is a [`view`] in a template; [`part`] holds the marks, ids and times they are made of. Nothing is fetched
//! from elsewhere, nothing is inline, and a page works without its script where it can.

pub mod assets;
pub mod card;
pub mod page;
pub mod part;
pub mod qr;
pub mod view;

pub(crate) mod show;
pub(crate) mod site;
