//! One policy, with what its annotations say and what the index needs to know of its scope.

use std::ops::Range;
use std::sync::Arc;

use cedar_policy::{Effect, PolicyId};
use cedar_policy_core::ast::{
    self, ActionConstraint, EntityReference, EntityType, EntityUID, Expr, ExprKind,
    PrincipalOrResourceConstraint, Var,
};
use modelward_seal::Digest;
use smol_str::SmolStr;

use crate::bundle::{BundleError, Place};
use crate::decision::Citation;
use crate::obligation::Obligation;

/// Which part of the bundle a policy belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    Policies,
    /// Rules that grant nothing and oblige enforcement.
    Obligations,
}

#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) id: SmolStr,
    pub(crate) file: SmolStr,
    pub(crate) title: SmolStr,
    pub(crate) owner: SmolStr,
    /// What the caller reads where the policy denies.
    pub(crate) reason: SmolStr,
    pub(crate) remedy: Option<RemedyKind>,
    pub(crate) obligation: Option<Obligation>,
    pub(crate) effect: Effect,
    pub(crate) principal: Bound,
    pub(crate) resource: Bound,
    /// Actions or groups of them; absent means any.
    pub(crate) actions: Option<Vec<EntityUID>>,
    /// `action ==` reaches no member of a group.
    pub(crate) action_exactly: bool,
    /// The conditions beyond the scope; absent means none.
    pub(crate) body: Option<Arc<Expr>>,
    /// Whether the body looks at the grant, so that it must be tried with each one.
    pub(crate) looks_at_grant: bool,
    pub(crate) cedar: cedar_policy::Policy,
    /// The bundle it stands in, where several were put together.
    pub(crate) bundle: Option<Digest>,
}

/// What a scope asks of principal or resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The entity that must be the thing itself or an ancestor of it.
    pub(crate) below: Option<EntityUID>,
    /// The entity that must be the thing itself.
    pub(crate) exactly: bool,
    pub(crate) is: Option<EntityType>,
}

/// The closed list of what can change a denial, as `@remedy` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RemedyKind {
    Administrator,
    Binding,
    Clearance,
    Credential,
    Device,
    Environment,
    Fields,
    Network,
    Place,
    Purpose,
    StepUp,
    Window,
}

impl Policy {
    pub(crate) fn check(
        file: &str,
        text: &str,
        policy: &cedar_policy::Policy,
        set: Set,
    ) -> Result<Self, BundleError> {
        let core: &ast::Policy = policy.as_ref();
        let at = || Place::new(file, text, bytes(core));
        let annotation = |name: &'static str| {
            policy
                .annotation(name)
                .map(SmolStr::new)
                .ok_or_else(|| BundleError::Annotation { at: at(), annotation: name })
        };
        let id = annotation("id")?;
        let bad = |message: String| BundleError::AnnotationValue { at: at(), id: id.to_string(), message };
        if !policy.is_static() {
            return Err(bad("templates are not supported; write the policy out".to_owned()));
        }
        let obligation = policy
            .annotation("obligation")
            .map(|text| text.parse::<Obligation>().map_err(|error| bad(error.to_string())))
            .transpose()?;
        if set == Set::Obligations && obligation.is_none() {
            return Err(BundleError::Annotation { at: at(), annotation: "obligation" });
        }
        let (reason, remedy) = match (set, policy.effect()) {
            (Set::Policies, Effect::Forbid) => {
                (annotation("reason")?, Some(remedy(&annotation("remedy")?).map_err(bad)?))
            }
            (Set::Policies, Effect::Permit) | (Set::Obligations, _) => (SmolStr::default(), None),
        };
        let title = annotation("title")?;
        let owner = annotation("owner")?;
        let cedar = policy.new_id(PolicyId::new(&id));
        let body = core.non_scope_constraints_arc().cloned();
        Ok(Self {
            file: SmolStr::new(file),
            title,
            owner,
            reason,
            remedy,
            obligation,
            effect: policy.effect(),
            principal: Bound::new(core.principal_constraint().as_inner()),
            resource: Bound::new(core.resource_constraint().as_inner()),
            actions: actions(core.action_constraint()),
            action_exactly: matches!(core.action_constraint(), ActionConstraint::Eq(_)),
            looks_at_grant: body.as_deref().is_some_and(looks_at_grant),
            body,
            cedar,
            bundle: None,
            id,
        })
    }

    /// Where it stands in the text of its file.
    pub(crate) fn place(&self, text: &str) -> Place {
        Place::new(&self.file, text, self.bytes())
    }

    pub(crate) fn bytes(&self) -> Range<usize> {
        bytes(self.cedar.as_ref())
    }

    pub(crate) fn names_action(&self, action: &EntityUID) -> bool {
        self.actions.as_ref().is_none_or(|actions| actions.contains(action))
    }

    pub(crate) fn citation(&self) -> Citation {
        Citation {
            policy: self.id.clone(),
            title: self.title.clone(),
            owner: self.owner.clone(),
            bundle: self.bundle,
        }
    }
}

impl Bound {
    fn new(constraint: &PrincipalOrResourceConstraint) -> Self {
        let entity = |reference: &EntityReference| match reference {
            EntityReference::EUID(uid) => Some(uid.as_ref().clone()),
            EntityReference::Slot(_) => None,
        };
        let (below, exactly, is) = match constraint {
            PrincipalOrResourceConstraint::Any => (None, false, None),
            PrincipalOrResourceConstraint::Eq(reference) => (entity(reference), true, None),
            PrincipalOrResourceConstraint::In(reference) => (entity(reference), false, None),
            PrincipalOrResourceConstraint::Is(is) => (None, false, Some(is.as_ref().clone())),
            PrincipalOrResourceConstraint::IsIn(is, reference) => {
                (entity(reference), false, Some(is.as_ref().clone()))
            }
        };
        Self { below, exactly, is }
    }

    /// Whether a thing with these ancestors is within the bound.
    pub(crate) fn holds(&self, thing: &EntityUID, is_below: impl Fn(&EntityUID) -> bool) -> bool {
        self.is.as_ref().is_none_or(|is| is == thing.entity_type())
            && self.below.as_ref().is_none_or(|uid| uid == thing || (!self.exactly && is_below(uid)))
    }
}

/// The bytes of its file a policy was parsed from.
fn bytes(policy: &ast::Policy) -> Range<usize> {
    policy.loc().map_or(0..0, |loc| loc.start()..loc.end())
}

fn actions(constraint: &ActionConstraint) -> Option<Vec<EntityUID>> {
    match constraint {
        ActionConstraint::Any => None,
        ActionConstraint::In(uids) => Some(uids.iter().map(|uid| uid.as_ref().clone()).collect()),
        ActionConstraint::Eq(uid) => Some(vec![uid.as_ref().clone()]),
    }
}

/// Attributes of the context that differ from grant to grant.
const GRANT_ATTRIBUTES: [&str; 2] = ["grant", "grantWindowOpen"];

/// Whether the result can depend on the grant: every use of `context` counts but those of other attributes.
fn looks_at_grant(body: &Expr) -> bool {
    let is_context = |expr: &Expr| matches!(expr.expr_kind(), ExprKind::Var(Var::Context));
    let uses = body.subexpressions().filter(|expr| is_context(expr)).count();
    let harmless = body
        .subexpressions()
        .filter(|expr| match expr.expr_kind() {
            ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr } => {
                is_context(expr) && !GRANT_ATTRIBUTES.contains(&attr.as_str())
            }
            _ => false,
        })
        .count();
    uses > harmless
}

fn remedy(text: &str) -> Result<RemedyKind, String> {
    Ok(match text {
        "administrator" => RemedyKind::Administrator,
        "binding" => RemedyKind::Binding,
        "clearance" => RemedyKind::Clearance,
        "credential" => RemedyKind::Credential,
        "device" => RemedyKind::Device,
        "environment" => RemedyKind::Environment,
        "fields" => RemedyKind::Fields,
        "network" => RemedyKind::Network,
        "place" => RemedyKind::Place,
        "purpose" => RemedyKind::Purpose,
        "step-up" => RemedyKind::StepUp,
        "window" => RemedyKind::Window,
        other => return Err(format!("`{other}` is not a remedy")),
    })
}
