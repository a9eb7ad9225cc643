//! The square an authenticator app scans.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// A QR code as one SVG path on a grid of `size` by `size` units, quiet zone included.
#[derive(Debug, Clone)]
pub struct Square {
    pub size: i32,
    pub path: String,
}

/// White modules around the code, as ISO/IEC 18004 asks.
const QUIET: i32 = 4;

/// The square for this text; empty when it is longer than a QR code holds.
pub fn square(text: &str) -> Square {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else {
        return Square { size: 1, path: String::new() };
    };
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|column| code.get_module(*column, y)).count();
            let run = i32::try_from(run).unwrap_or(0);
            if run > 0 {
                // Writing to a String cannot fail.
                let _written = write!(path, "M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET);
            }
            x += run.max(1);
        }
    }
    Square { size: code.size() + 2 * QUIET, path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_finder_patterns_are_where_scanners_look() {
        let square = square("otpauth://totp/Modelward:dana?secret=JBSWY3DPEHPK3PXP&issuer=Modelward");
        let right = square.size - QUIET - 7;
        for corner in
            [format!("M{QUIET} {QUIET}h7"), format!("M{right} {QUIET}h7"), format!("M{QUIET} {right}h7")]
        {
            assert!(square.path.contains(&corner), "{corner}");
        }
    }
}
