mod control;
mod following;
mod laws;
mod wire;
