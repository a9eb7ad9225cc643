//! A session is opened with verified factors, and with nothing else.

use modelward_identity::login::Login;

fn main() {
    let _ = Login::by_enrolment;
}
