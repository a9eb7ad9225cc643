//! What a client can find out before it begins: RFC 7643 sections 5 to 7, RFC 7644 section 4.

use serde_json::{Value, json};

use crate::query::COUNT_MAX;
use crate::schema::{Attribute, Form, Kind, Mutability};

const CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// `/ServiceProviderConfig`; `base` is the address everything lies below.
pub fn service_provider_config(base: &str) -> Value {
    json!({
        "schemas": [CONFIG],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": COUNT_MAX },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A secret of the provisioning client, made by `modelward scim add`, that expires.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig") },
    })
}

/// One of `/ResourceTypes`.
pub fn resource_type(kind: Kind, base: &str) -> Value {
    json!({
        "schemas": [RESOURCE_TYPE],
        "id": kind.as_str(),
        "name": kind.as_str(),
        "endpoint": format!("/{}", kind.endpoint()),
        "description": match kind {
            Kind::User => "People.",
            Kind::Group => "Groups of the source.",
        },
        "schema": kind.schema(),
        "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", kind.as_str()) },
    })
}

/// One of `/Schemas`.
pub fn schema(kind: Kind, base: &str) -> Value {
    json!({
        "schemas": [SCHEMA],
        "id": kind.schema(),
        "name": kind.as_str(),
        "description": match kind {
            Kind::User => "A person.",
            Kind::Group => "A group of the source.",
        },
        "attributes": kind.attributes().iter().map(attribute).collect::<Vec<_>>(),
        "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", kind.schema()) },
    })
}

fn attribute(attribute: &Attribute) -> Value {
    let mut shown = json!({
        "name": attribute.name,
        "type": match attribute.form {
            Form::Text => "string",
            Form::Boolean => "boolean",
            Form::DateTime => "dateTime",
            Form::Reference(_) => "reference",
            Form::Complex(_) => "complex",
        },
        "multiValued": attribute.is_many,
        "description": attribute.about,
        "required": attribute.is_required,
        "caseExact": attribute.is_case_exact,
        "mutability": match attribute.mutability {
            Mutability::ReadWrite => "readWrite",
            Mutability::Immutable => "immutable",
            Mutability::ReadOnly => "readOnly",
        },
        "returned": "default",
        "uniqueness": if attribute.is_unique { "server" } else { "none" },
    });
    let Some(members) = shown.as_object_mut() else { return shown };
    if !attribute.values.is_empty() {
        members.insert("canonicalValues".to_owned(), json!(attribute.values));
    }
    match attribute.form {
        Form::Complex(parts) => {
            members.insert("subAttributes".to_owned(), parts.iter().map(self::attribute).collect());
        }
        Form::Reference(to) => {
            members.insert("referenceTypes".to_owned(), json!([to]));
        }
        Form::Text | Form::Boolean | Form::DateTime => {}
    }
    shown
}
