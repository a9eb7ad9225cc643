//! The attributes that are kept, as tables (RFC 7643 sections 3, 4 and 7). Everything else is read from these: what a
//! body may hold, what a path can name, how a filter compares, and what `/Schemas` says.

/// The two kinds of resource there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    User,
    Group,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    pub name: &'static str,
    pub form: Form,
    pub is_many: bool,
    pub is_required: bool,
    pub mutability: Mutability,
    /// `uniqueness: server`.
    pub is_unique: bool,
    pub is_case_exact: bool,
    /// The only values there are, where that is so.
    pub values: &'static [&'static str],
    pub about: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Boolean,
    DateTime,
    /// To a resource of this kind.
    Reference(&'static str),
    Complex(&'static [Attribute]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    ReadWrite,
    /// Set with the value it is a part of, and never changed after.
    Immutable,
    /// The server's to say; a client that sends it is not heard.
    ReadOnly,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// Its folder below the base address.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    pub const fn schema(self) -> &'static str {
        match self {
            Self::User => "urn:ietf:params:scim:schemas:core:2.0:User",
            Self::Group => "urn:ietf:params:scim:schemas:core:2.0:Group",
        }
    }

    /// Of its own schema.
    pub const fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    /// An attribute of a resource of this kind; names have no case (RFC 7643 section 2.1).
    pub fn attribute(self, name: &str) -> Option<&'static Attribute> {
        find(self.attributes(), name).or_else(|| find(COMMON, name))
    }
}

impl Attribute {
    /// What a value of it is made of.
    pub const fn parts(&self) -> &'static [Self] {
        match self.form {
            Form::Complex(parts) => parts,
            Form::Text | Form::Boolean | Form::DateTime | Form::Reference(_) => &[],
        }
    }

    pub fn part(&self, name: &str) -> Option<&'static Self> {
        find(self.parts(), name)
    }
}

pub(crate) fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// Attributes of the standard that are accepted and not kept: clients send them whether one wants them or not.
pub(crate) fn is_not_kept(kind: Kind, name: &str) -> bool {
    const OF_USERS: [&str; 9] = [
        "nickName",
        "profileUrl",
        "phoneNumbers",
        "ims",
        "photos",
        "addresses",
        "entitlements",
        "roles",
        "x509Certificates",
    ];
    kind == Kind::User
        && (OF_USERS.iter().any(|known| known.eq_ignore_ascii_case(name))
            || name.eq_ignore_ascii_case(ENTERPRISE))
}

/// The extension of RFC 7643 section 4.3, none of which is kept.
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

const fn text(name: &'static str, about: &'static str) -> Attribute {
    Attribute {
        name,
        form: Form::Text,
        is_many: false,
        is_required: false,
        mutability: Mutability::ReadWrite,
        is_unique: false,
        is_case_exact: false,
        values: &[],
        about,
    }
}

const fn read_only(attribute: Attribute) -> Attribute {
    Attribute { mutability: Mutability::ReadOnly, ..attribute }
}

const fn immutable(attribute: Attribute) -> Attribute {
    Attribute { mutability: Mutability::Immutable, ..attribute }
}

const fn required(attribute: Attribute) -> Attribute {
    Attribute { is_required: true, is_unique: true, ..attribute }
}

const fn form(form: Form, attribute: Attribute) -> Attribute {
    Attribute { form, ..attribute }
}

const fn many(attribute: Attribute) -> Attribute {
    Attribute { is_many: true, ..attribute }
}

const fn case_exact(attribute: Attribute) -> Attribute {
    Attribute { is_case_exact: true, ..attribute }
}

/// Of every resource (RFC 7643 section 3.1).
pub const COMMON: &[Attribute] = &[
    case_exact(read_only(text("id", "What the resource is called here for ever."))),
    case_exact(text("externalId", "What the client calls the resource.")),
    read_only(form(Form::Complex(META), text("meta", "What the server says about the resource."))),
];

const META: &[Attribute] = &[
    case_exact(read_only(text("resourceType", "Its kind."))),
    read_only(form(Form::DateTime, text("created", "When it was made."))),
    read_only(form(Form::DateTime, text("lastModified", "When it was last changed."))),
    case_exact(read_only(form(Form::Reference("uri"), text("location", "Where it is.")))),
    case_exact(read_only(text("version", "Its entity tag."))),
];

const USER: &[Attribute] = &[
    required(text("userName", "What the person is called at the source.")),
    form(Form::Complex(NAME), text("name", "The parts of the person's name.")),
    text("displayName", "The name to show."),
    text("title", "Their title."),
    text("userType", "How they are related to the organisation."),
    text("preferredLanguage", "Their language, as in Accept-Language."),
    text("locale", "Their locale, such as en-GB."),
    text("timezone", "Their time zone, such as Europe/Berlin."),
    form(
        Form::Boolean,
        text("active", "Whether they may do anything here. False ends everything of theirs at once."),
    ),
    many(form(Form::Complex(EMAIL), text("emails", "Their addresses. They identify nobody here."))),
    many(read_only(form(Form::Complex(OF_GROUP), text("groups", "The groups of the source they are in.")))),
];

const NAME: &[Attribute] = &[
    text("formatted", "The whole name."),
    text("familyName", "The family name."),
    text("givenName", "The given name."),
    text("middleName", "Middle names."),
    text("honorificPrefix", "What stands before it."),
    text("honorificSuffix", "What stands after it."),
];

const EMAIL: &[Attribute] = &[
    text("value", "The address."),
    text("display", "How to show it."),
    text("type", "Such as work or home."),
    form(Form::Boolean, text("primary", "The one to prefer; at most one.")),
];

const OF_GROUP: &[Attribute] = &[
    case_exact(read_only(text("value", "The id of the group."))),
    case_exact(read_only(form(Form::Reference("Group"), text("$ref", "Where it is.")))),
    read_only(text("display", "Its name.")),
];

const GROUP: &[Attribute] = &[
    required(text(
        "displayName",
        "The name of the group at the source. It gives no right; a reviewed mapping of the policy bundle may.",
    )),
    many(form(Form::Complex(MEMBER), text("members", "The people in it."))),
];

const MEMBER: &[Attribute] = &[
    case_exact(immutable(text("value", "The id of the person."))),
    case_exact(immutable(form(Form::Reference("User"), text("$ref", "Where they are.")))),
    Attribute { values: &["User"], ..immutable(text("type", "Always User.")) },
    read_only(text("display", "Not kept.")),
];
