//! The page of privileges and actions. `UPDATE_EXPECT=1 cargo test -p modelward-decision` writes it anew.

use std::fmt::Write as _;

use expect_test::expect_file;
use modelward_decision::vocabulary::{Field, Privilege};

#[test]
fn the_actions_page_is_current() {
    expect_file!["../../../../docs/reference/actions.md"].assert_eq(&page());
}

fn page() -> String {
    let mut page = String::from(
        "# Privileges and actions\n\n\
         Made from the vocabulary of `modelward-decision`. One grant carries one privilege and reaches exactly the actions\n\
         listed under it. Every operation of every protocol maps to one of them; one that maps to none is refused.\n\n\
         | letter | privilege | what it is for | may be held by |\n|---|---|---|---|\n",
    );
    for privilege in Privilege::ALL {
        let holder = match privilege {
            Privilege::SelfService => "everybody, without a grant",
            _ if privilege.may_be_held_by_group() => "a person, a machine or a group",
            _ => "one person or one machine",
        };
        let name = privilege.as_str();
        writeln!(
            page,
            "| `{}` | [`{name}`](#{name}) | {} | {holder} |",
            privilege.letter(),
            privilege.summary()
        )
        .unwrap();
    }
    for privilege in Privilege::ALL {
        write!(page, "\n## {privilege}\n\n| action | whoever may do it may |\n|---|---|\n").unwrap();
        for action in privilege.actions() {
            writeln!(page, "| `{action}` | {} |", action.phrase()).unwrap();
        }
    }
    page.push_str(
        "\n## Sensitive fields\n\n\
         Parts of an answer that say more than the answer. Asking for one needs its own action, by a grant that names the field.\n\n\
         | field | action |\n|---|---|\n",
    );
    for field in Field::ALL {
        writeln!(page, "| `{field}` | `{}` |", field.action()).unwrap();
    }
    page
}
