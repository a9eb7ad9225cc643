//! Privileges and the actions each consists of: the whole vocabulary, matched exhaustively everywhere.
//!
//! A protocol verb maps to exactly one leaf action; a verb without one is refused. A new action is a compile
//! error in every place that has to take a stand on it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ResourceKind;

/// A named set of actions. One grant carries one privilege, and reaches no action outside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    /// Own sign-in, own rights, own requests: needs no grant, exempted by name.
    SelfService,
    /// Sees, never changes: cards, metrics, lineage, aggregates.
    ReadOnly,
    /// Predicts through approved endpoints and watches drift.
    Inference,
    /// Parts of an answer that say more than the answer.
    InferenceSensitive,
    /// Tracks runs and metrics.
    Experiment,
    /// Registers, describes and tags models.
    Registry,
    /// Changes what a model knows.
    Retraining,
    /// Takes weights out.
    Export,
    /// Takes rows out: training data, traces, stored prompts.
    DataExport,
    /// Decides what production serves.
    Deploy,
    /// Changes who may do what.
    Govern,
    /// Reads what happened and who may do what.
    Audit,
}

/// One thing a principal can do to one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    // SelfService
    /// Prove who one is.
    SignIn,
    /// See one's own account, sessions and grants.
    ReadSelf,
    /// See why one's own request was decided as it was.
    ExplainOwn,
    /// Ask for a grant.
    FileRequest,
    /// Give back a grant one holds.
    DropGrant,
    /// End a session of one's own.
    EndSession,
    // ReadOnly
    /// See that models exist.
    ListModels,
    /// Read a model card.
    ReadCard,
    /// Read metrics and evaluations.
    ReadMetrics,
    /// Read dashboards.
    ReadDashboards,
    /// Read where a version came from.
    ReadLineage,
    /// Read aggregate statistics of features.
    ReadAggregateStats,
    /// Read drift reports.
    ReadDrift,
    /// Read a version's metadata and digest.
    ReadVersion,
    /// Read a served model's signature and readiness.
    ReadServing,
    /// Read an endpoint's description.
    ReadEndpoint,
    /// Read the columns of a dataset and their classes.
    ReadDatasetSchema,
    /// Read masked aggregates of a dataset.
    ReadDatasetAggregate,
    /// Read an artifact that holds no weights, such as requirements.
    ReadNonWeightArtifact,
    // Inference
    /// Ask a model for a prediction.
    Predict,
    /// Ask for a prediction that arrives in parts.
    PredictStream,
    /// Ask for many predictions in one job.
    PredictBatch,
    /// Ask a moderation model for its verdict.
    Moderate,
    /// Ask how long an input is to the model.
    CountTokens,
    /// Watch the drift of a model one uses.
    WatchDrift,
    // InferenceSensitive
    /// See log probabilities.
    ReadLogprobs,
    /// See the numbers behind a label.
    ReadRawScores,
    /// Get vectors that stand for an input.
    Embed,
    /// See attributions of a prediction.
    ExplainPrediction,
    /// See intermediate representations.
    ReadHiddenStates,
    /// See token ids.
    ReadTokens,
    /// Steer the sampler, such as by a logit bias.
    ControlSampling,
    // Experiment
    /// Create an experiment.
    CreateExperiment,
    /// Change an experiment.
    UpdateExperiment,
    /// Delete an experiment.
    DeleteExperiment,
    /// Start a tracked run.
    CreateRun,
    /// Change a tracked run.
    UpdateRun,
    /// Delete a tracked run.
    DeleteRun,
    /// Log metrics and parameters.
    LogMetrics,
    /// Log the datasets of a run.
    LogInputs,
    /// Log an artifact of a run.
    LogArtifact,
    /// Send traces.
    IngestTraces,
    // Registry
    /// Register a model.
    RegisterModel,
    /// Change a model's description.
    UpdateModel,
    /// Rename a model.
    RenameModel,
    /// Delete a model.
    DeleteModel,
    /// Register a version.
    CreateVersion,
    /// Change a version's description.
    UpdateVersion,
    /// Delete a version.
    DeleteVersion,
    /// Tag a model or version.
    TagModel,
    /// Move an unprotected alias.
    SetAlias,
    /// State what a version came from.
    LinkProvenance,
    /// Upload an artifact of a version that is not ready yet.
    UploadArtifact,
    // Retraining
    /// Propose a training run.
    ProposeTraining,
    /// Launch an approved training run.
    LaunchTraining,
    /// Cancel a training run.
    CancelTraining,
    /// Read the logs of a training run.
    ReadTrainingLogs,
    /// Use base weights inside the sandbox.
    UseBaseWeights,
    /// Use a dataset inside the sandbox.
    UseDatasetForTraining,
    /// Upload training data.
    UploadTrainingData,
    /// Evaluate a candidate.
    EvaluateCandidate,
    /// Register what a training run made.
    RegisterCandidate,
    // Export
    /// Download weights.
    DownloadWeights,
    /// Convert weights to another form.
    ConvertWeights,
    /// Copy weights to another store.
    ReplicateWeights,
    /// Decrypt sealed weights.
    DecryptWeights,
    /// Make a link that bypasses the gateway.
    PresignWeights,
    // DataExport
    /// Read rows of a dataset.
    ReadRawRows,
    /// Read rows a model was trained on.
    ReadTrainingRows,
    /// Read recorded inputs and outputs.
    ReadTraces,
    /// Read prompts and answers somebody stored.
    ReadStoredPrompts,
    /// Download a dataset.
    DownloadDataset,
    // Deploy
    /// Promote a version.
    Promote,
    /// Return to an earlier version.
    RollBack,
    /// Move a protected alias.
    SetProtectedAlias,
    /// Put a version behind an endpoint.
    DeployEndpoint,
    /// Take a version from an endpoint.
    UndeployEndpoint,
    /// Load a model into a server.
    LoadModel,
    /// Unload a model from a server.
    UnloadModel,
    /// Load an adapter onto a served model.
    LoadAdapter,
    /// Stop a version from being served.
    QuarantineVersion,
    // Govern
    /// Declare projects, models, endpoints and datasets.
    ApplyInventory,
    /// Enrol, change or deactivate people and machines.
    ManagePeople,
    /// Change groups and their members.
    ManageGroups,
    /// Give a grant.
    GrantAccess,
    /// Revoke a grant.
    RevokeAccess,
    /// Approve or refuse a request.
    ApproveRequest,
    /// Lock a thing.
    SetLock,
    /// Lift a lock.
    LiftLock,
    /// End other people's sessions.
    EndSessions,
    /// Decide an access review.
    DecideReview,
    /// Raise a classification.
    Classify,
    /// Lower a classification.
    DowngradeClassification,
    /// Propose policy.
    AuthorPolicy,
    /// Approve policy.
    ApprovePolicy,
    /// Activate policy.
    ActivatePolicy,
    /// Rotate and revoke keys.
    ManageKeys,
    /// Use emergency access.
    UseBreakGlass,
    /// Run an incident playbook.
    RunPlaybook,
    /// Rehearse an incident playbook.
    DrillPlaybook,
    /// Administer a model server or registry.
    AdministerUpstream,
    /// Read the running configuration.
    ReadConfiguration,
    // Audit
    /// Read decisions about other people.
    ReadDecisions,
    /// Read ledger entries.
    ReadLedger,
    /// Export ledger entries and evidence.
    ExportLedger,
    /// Read the permission matrix.
    ReadMatrix,
    /// Ask who may do what.
    ReadAccess,
    /// See why other people's requests were decided as they were.
    ExplainOthers,
    /// Re-evaluate a recorded decision.
    ReplayDecision,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an action")]
pub struct UnknownAction(pub String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a privilege")]
pub struct UnknownPrivilege(pub String);

impl Privilege {
    pub const ALL: [Self; 12] = [
        Self::SelfService,
        Self::ReadOnly,
        Self::Inference,
        Self::InferenceSensitive,
        Self::Experiment,
        Self::Registry,
        Self::Retraining,
        Self::Export,
        Self::DataExport,
        Self::Deploy,
        Self::Govern,
        Self::Audit,
    ];

    /// The name in files, on the wire and in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SelfService => "self",
            Self::ReadOnly => "read-only",
            Self::Inference => "inference",
            Self::InferenceSensitive => "inference-sensitive",
            Self::Experiment => "experiment",
            Self::Registry => "registry",
            Self::Retraining => "retraining",
            Self::Export => "export",
            Self::DataExport => "data-export",
            Self::Deploy => "deploy",
            Self::Govern => "govern",
            Self::Audit => "audit",
        }
    }

    /// The mark in the matrix, the console and the terminal; never a colour alone.
    pub const fn letter(self) -> char {
        match self {
            Self::SelfService => '-',
            Self::ReadOnly => 'R',
            Self::Inference => 'I',
            Self::InferenceSensitive => 'S',
            Self::Experiment => 'E',
            Self::Registry => 'G',
            Self::Retraining => 'T',
            Self::Export => 'X',
            Self::DataExport => 'Y',
            Self::Deploy => 'D',
            Self::Govern => 'V',
            Self::Audit => 'A',
        }
    }

    /// What the privilege is for, in one sentence.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::SelfService => "Own sign-in, own rights, own requests: needs no grant, exempted by name.",
            Self::ReadOnly => "Sees, never changes: cards, metrics, lineage, aggregates.",
            Self::Inference => "Predicts through approved endpoints and watches drift.",
            Self::InferenceSensitive => "Parts of an answer that say more than the answer.",
            Self::Experiment => "Tracks runs and metrics.",
            Self::Registry => "Registers, describes and tags models.",
            Self::Retraining => "Changes what a model knows.",
            Self::Export => "Takes weights out.",
            Self::DataExport => "Takes rows out: training data, traces, stored prompts.",
            Self::Deploy => "Decides what production serves.",
            Self::Govern => "Changes who may do what.",
            Self::Audit => "Reads what happened and who may do what.",
        }
    }

    /// The action group of the policy schema.
    pub const fn group(self) -> &'static str {
        match self {
            Self::SelfService => "Self",
            Self::ReadOnly => "ReadOnly",
            Self::Inference => "Inference",
            Self::InferenceSensitive => "InferenceSensitive",
            Self::Experiment => "Experiment",
            Self::Registry => "Registry",
            Self::Retraining => "Retraining",
            Self::Export => "Export",
            Self::DataExport => "DataExport",
            Self::Deploy => "Deploy",
            Self::Govern => "Govern",
            Self::Audit => "Audit",
        }
    }

    /// Whether a group of people may hold it; above `Inference` only one person or machine can.
    pub const fn may_be_held_by_group(self) -> bool {
        match self {
            Self::SelfService | Self::ReadOnly | Self::Inference => true,
            Self::InferenceSensitive
            | Self::Experiment
            | Self::Registry
            | Self::Retraining
            | Self::Export
            | Self::DataExport
            | Self::Deploy
            | Self::Govern
            | Self::Audit => false,
        }
    }

    /// Every action of this privilege, in vocabulary order.
    pub fn actions(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| action.privilege() == self)
    }
}

impl Action {
    pub const ALL: [Self; 109] = [
        Self::SignIn,
        Self::ReadSelf,
        Self::ExplainOwn,
        Self::FileRequest,
        Self::DropGrant,
        Self::EndSession,
        Self::ListModels,
        Self::ReadCard,
        Self::ReadMetrics,
        Self::ReadDashboards,
        Self::ReadLineage,
        Self::ReadAggregateStats,
        Self::ReadDrift,
        Self::ReadVersion,
        Self::ReadServing,
        Self::ReadEndpoint,
        Self::ReadDatasetSchema,
        Self::ReadDatasetAggregate,
        Self::ReadNonWeightArtifact,
        Self::Predict,
        Self::PredictStream,
        Self::PredictBatch,
        Self::Moderate,
        Self::CountTokens,
        Self::WatchDrift,
        Self::ReadLogprobs,
        Self::ReadRawScores,
        Self::Embed,
        Self::ExplainPrediction,
        Self::ReadHiddenStates,
        Self::ReadTokens,
        Self::ControlSampling,
        Self::CreateExperiment,
        Self::UpdateExperiment,
        Self::DeleteExperiment,
        Self::CreateRun,
        Self::UpdateRun,
        Self::DeleteRun,
        Self::LogMetrics,
        Self::LogInputs,
        Self::LogArtifact,
        Self::IngestTraces,
        Self::RegisterModel,
        Self::UpdateModel,
        Self::RenameModel,
        Self::DeleteModel,
        Self::CreateVersion,
        Self::UpdateVersion,
        Self::DeleteVersion,
        Self::TagModel,
        Self::SetAlias,
        Self::LinkProvenance,
        Self::UploadArtifact,
        Self::ProposeTraining,
        Self::LaunchTraining,
        Self::CancelTraining,
        Self::ReadTrainingLogs,
        Self::UseBaseWeights,
        Self::UseDatasetForTraining,
        Self::UploadTrainingData,
        Self::EvaluateCandidate,
        Self::RegisterCandidate,
        Self::DownloadWeights,
        Self::ConvertWeights,
        Self::ReplicateWeights,
        Self::DecryptWeights,
        Self::PresignWeights,
        Self::ReadRawRows,
        Self::ReadTrainingRows,
        Self::ReadTraces,
        Self::ReadStoredPrompts,
        Self::DownloadDataset,
        Self::Promote,
        Self::RollBack,
        Self::SetProtectedAlias,
        Self::DeployEndpoint,
        Self::UndeployEndpoint,
        Self::LoadModel,
        Self::UnloadModel,
        Self::LoadAdapter,
        Self::QuarantineVersion,
        Self::ApplyInventory,
        Self::ManagePeople,
        Self::ManageGroups,
        Self::GrantAccess,
        Self::RevokeAccess,
        Self::ApproveRequest,
        Self::SetLock,
        Self::LiftLock,
        Self::EndSessions,
        Self::DecideReview,
        Self::Classify,
        Self::DowngradeClassification,
        Self::AuthorPolicy,
        Self::ApprovePolicy,
        Self::ActivatePolicy,
        Self::ManageKeys,
        Self::UseBreakGlass,
        Self::RunPlaybook,
        Self::DrillPlaybook,
        Self::AdministerUpstream,
        Self::ReadConfiguration,
        Self::ReadDecisions,
        Self::ReadLedger,
        Self::ExportLedger,
        Self::ReadMatrix,
        Self::ReadAccess,
        Self::ExplainOthers,
        Self::ReplayDecision,
    ];

    /// The privilege that reaches this action, and the only one.
    pub const fn privilege(self) -> Privilege {
        match self {
            Self::SignIn
            | Self::ReadSelf
            | Self::ExplainOwn
            | Self::FileRequest
            | Self::DropGrant
            | Self::EndSession => Privilege::SelfService,
            Self::ListModels
            | Self::ReadCard
            | Self::ReadMetrics
            | Self::ReadDashboards
            | Self::ReadLineage
            | Self::ReadAggregateStats
            | Self::ReadDrift
            | Self::ReadVersion
            | Self::ReadServing
            | Self::ReadEndpoint
            | Self::ReadDatasetSchema
            | Self::ReadDatasetAggregate
            | Self::ReadNonWeightArtifact => Privilege::ReadOnly,
            Self::Predict
            | Self::PredictStream
            | Self::PredictBatch
            | Self::Moderate
            | Self::CountTokens
            | Self::WatchDrift => Privilege::Inference,
            Self::ReadLogprobs
            | Self::ReadRawScores
            | Self::Embed
            | Self::ExplainPrediction
            | Self::ReadHiddenStates
            | Self::ReadTokens
            | Self::ControlSampling => Privilege::InferenceSensitive,
            Self::CreateExperiment
            | Self::UpdateExperiment
            | Self::DeleteExperiment
            | Self::CreateRun
            | Self::UpdateRun
            | Self::DeleteRun
            | Self::LogMetrics
            | Self::LogInputs
            | Self::LogArtifact
            | Self::IngestTraces => Privilege::Experiment,
            Self::RegisterModel
            | Self::UpdateModel
            | Self::RenameModel
            | Self::DeleteModel
            | Self::CreateVersion
            | Self::UpdateVersion
            | Self::DeleteVersion
            | Self::TagModel
            | Self::SetAlias
            | Self::LinkProvenance
            | Self::UploadArtifact => Privilege::Registry,
            Self::ProposeTraining
            | Self::LaunchTraining
            | Self::CancelTraining
            | Self::ReadTrainingLogs
            | Self::UseBaseWeights
            | Self::UseDatasetForTraining
            | Self::UploadTrainingData
            | Self::EvaluateCandidate
            | Self::RegisterCandidate => Privilege::Retraining,
            Self::DownloadWeights
            | Self::ConvertWeights
            | Self::ReplicateWeights
            | Self::DecryptWeights
            | Self::PresignWeights => Privilege::Export,
            Self::ReadRawRows
            | Self::ReadTrainingRows
            | Self::ReadTraces
            | Self::ReadStoredPrompts
            | Self::DownloadDataset => Privilege::DataExport,
            Self::Promote
            | Self::RollBack
            | Self::SetProtectedAlias
            | Self::DeployEndpoint
            | Self::UndeployEndpoint
            | Self::LoadModel
            | Self::UnloadModel
            | Self::LoadAdapter
            | Self::QuarantineVersion => Privilege::Deploy,
            Self::ApplyInventory
            | Self::ManagePeople
            | Self::ManageGroups
            | Self::GrantAccess
            | Self::RevokeAccess
            | Self::ApproveRequest
            | Self::SetLock
            | Self::LiftLock
            | Self::EndSessions
            | Self::DecideReview
            | Self::Classify
            | Self::DowngradeClassification
            | Self::AuthorPolicy
            | Self::ApprovePolicy
            | Self::ActivatePolicy
            | Self::ManageKeys
            | Self::UseBreakGlass
            | Self::RunPlaybook
            | Self::DrillPlaybook
            | Self::AdministerUpstream
            | Self::ReadConfiguration => Privilege::Govern,
            Self::ReadDecisions
            | Self::ReadLedger
            | Self::ExportLedger
            | Self::ReadMatrix
            | Self::ReadAccess
            | Self::ExplainOthers
            | Self::ReplayDecision => Privilege::Audit,
        }
    }

    /// The name in the policy schema, on the wire and in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "signIn",
            Self::ReadSelf => "readSelf",
            Self::ExplainOwn => "explainOwn",
            Self::FileRequest => "fileRequest",
            Self::DropGrant => "dropGrant",
            Self::EndSession => "endSession",
            Self::ListModels => "listModels",
            Self::ReadCard => "readCard",
            Self::ReadMetrics => "readMetrics",
            Self::ReadDashboards => "readDashboards",
            Self::ReadLineage => "readLineage",
            Self::ReadAggregateStats => "readAggregateStats",
            Self::ReadDrift => "readDrift",
            Self::ReadVersion => "readVersion",
            Self::ReadServing => "readServing",
            Self::ReadEndpoint => "readEndpoint",
            Self::ReadDatasetSchema => "readDatasetSchema",
            Self::ReadDatasetAggregate => "readDatasetAggregate",
            Self::ReadNonWeightArtifact => "readNonWeightArtifact",
            Self::Predict => "predict",
            Self::PredictStream => "predictStream",
            Self::PredictBatch => "predictBatch",
            Self::Moderate => "moderate",
            Self::CountTokens => "countTokens",
            Self::WatchDrift => "watchDrift",
            Self::ReadLogprobs => "readLogprobs",
            Self::ReadRawScores => "readRawScores",
            Self::Embed => "embed",
            Self::ExplainPrediction => "explainPrediction",
            Self::ReadHiddenStates => "readHiddenStates",
            Self::ReadTokens => "readTokens",
            Self::ControlSampling => "controlSampling",
            Self::CreateExperiment => "createExperiment",
            Self::UpdateExperiment => "updateExperiment",
            Self::DeleteExperiment => "deleteExperiment",
            Self::CreateRun => "createRun",
            Self::UpdateRun => "updateRun",
            Self::DeleteRun => "deleteRun",
            Self::LogMetrics => "logMetrics",
            Self::LogInputs => "logInputs",
            Self::LogArtifact => "logArtifact",
            Self::IngestTraces => "ingestTraces",
            Self::RegisterModel => "registerModel",
            Self::UpdateModel => "updateModel",
            Self::RenameModel => "renameModel",
            Self::DeleteModel => "deleteModel",
            Self::CreateVersion => "createVersion",
            Self::UpdateVersion => "updateVersion",
            Self::DeleteVersion => "deleteVersion",
            Self::TagModel => "tagModel",
            Self::SetAlias => "setAlias",
            Self::LinkProvenance => "linkProvenance",
            Self::UploadArtifact => "uploadArtifact",
            Self::ProposeTraining => "proposeTraining",
            Self::LaunchTraining => "launchTraining",
            Self::CancelTraining => "cancelTraining",
            Self::ReadTrainingLogs => "readTrainingLogs",
            Self::UseBaseWeights => "useBaseWeights",
            Self::UseDatasetForTraining => "useDatasetForTraining",
            Self::UploadTrainingData => "uploadTrainingData",
            Self::EvaluateCandidate => "evaluateCandidate",
            Self::RegisterCandidate => "registerCandidate",
            Self::DownloadWeights => "downloadWeights",
            Self::ConvertWeights => "convertWeights",
            Self::ReplicateWeights => "replicateWeights",
            Self::DecryptWeights => "decryptWeights",
            Self::PresignWeights => "presignWeights",
            Self::ReadRawRows => "readRawRows",
            Self::ReadTrainingRows => "readTrainingRows",
            Self::ReadTraces => "readTraces",
            Self::ReadStoredPrompts => "readStoredPrompts",
            Self::DownloadDataset => "downloadDataset",
            Self::Promote => "promote",
            Self::RollBack => "rollBack",
            Self::SetProtectedAlias => "setProtectedAlias",
            Self::DeployEndpoint => "deployEndpoint",
            Self::UndeployEndpoint => "undeployEndpoint",
            Self::LoadModel => "loadModel",
            Self::UnloadModel => "unloadModel",
            Self::LoadAdapter => "loadAdapter",
            Self::QuarantineVersion => "quarantineVersion",
            Self::ApplyInventory => "applyInventory",
            Self::ManagePeople => "managePeople",
            Self::ManageGroups => "manageGroups",
            Self::GrantAccess => "grantAccess",
            Self::RevokeAccess => "revokeAccess",
            Self::ApproveRequest => "approveRequest",
            Self::SetLock => "setLock",
            Self::LiftLock => "liftLock",
            Self::EndSessions => "endSessions",
            Self::DecideReview => "decideReview",
            Self::Classify => "classify",
            Self::DowngradeClassification => "downgradeClassification",
            Self::AuthorPolicy => "authorPolicy",
            Self::ApprovePolicy => "approvePolicy",
            Self::ActivatePolicy => "activatePolicy",
            Self::ManageKeys => "manageKeys",
            Self::UseBreakGlass => "useBreakGlass",
            Self::RunPlaybook => "runPlaybook",
            Self::DrillPlaybook => "drillPlaybook",
            Self::AdministerUpstream => "administerUpstream",
            Self::ReadConfiguration => "readConfiguration",
            Self::ReadDecisions => "readDecisions",
            Self::ReadLedger => "readLedger",
            Self::ExportLedger => "exportLedger",
            Self::ReadMatrix => "readMatrix",
            Self::ReadAccess => "readAccess",
            Self::ExplainOthers => "explainOthers",
            Self::ReplayDecision => "replayDecision",
        }
    }

    /// The kinds of thing it can be done to.
    pub const fn resources(self) -> &'static [ResourceKind] {
        match self {
            Self::SignIn
            | Self::ReadSelf
            | Self::ExplainOwn
            | Self::FileRequest
            | Self::DropGrant
            | Self::EndSession
            | Self::ApplyInventory
            | Self::ManagePeople
            | Self::ManageGroups
            | Self::ApproveRequest
            | Self::EndSessions
            | Self::DecideReview
            | Self::AuthorPolicy
            | Self::ApprovePolicy
            | Self::ActivatePolicy
            | Self::ManageKeys
            | Self::UseBreakGlass
            | Self::RunPlaybook
            | Self::DrillPlaybook
            | Self::ReadConfiguration
            | Self::ReadDecisions
            | Self::ReadLedger
            | Self::ExportLedger
            | Self::ReadMatrix
            | Self::ReplayDecision => &[ResourceKind::Platform],
            Self::ListModels => &[ResourceKind::Platform, ResourceKind::Project],
            Self::ReadCard
            | Self::ReadMetrics
            | Self::ReadDashboards
            | Self::ReadLineage
            | Self::ReadAggregateStats
            | Self::ReadDrift
            | Self::ReadVersion
            | Self::ReadServing
            | Self::ReadNonWeightArtifact
            | Self::WatchDrift
            | Self::TagModel
            | Self::LinkProvenance
            | Self::ReadTraces
            | Self::ReadStoredPrompts => &[ResourceKind::Model, ResourceKind::Version],
            Self::ReadEndpoint
            | Self::DeployEndpoint
            | Self::UndeployEndpoint
            | Self::LoadModel
            | Self::UnloadModel
            | Self::LoadAdapter => &[ResourceKind::Endpoint],
            Self::ReadDatasetSchema
            | Self::ReadDatasetAggregate
            | Self::UseDatasetForTraining
            | Self::UploadTrainingData
            | Self::ReadRawRows
            | Self::ReadTrainingRows
            | Self::DownloadDataset => &[ResourceKind::Dataset],
            Self::Predict
            | Self::PredictStream
            | Self::PredictBatch
            | Self::Moderate
            | Self::CountTokens
            | Self::ReadLogprobs
            | Self::ReadRawScores
            | Self::Embed
            | Self::ExplainPrediction
            | Self::ReadHiddenStates
            | Self::ReadTokens
            | Self::ControlSampling
            | Self::UpdateVersion
            | Self::DeleteVersion
            | Self::UploadArtifact
            | Self::UseBaseWeights
            | Self::EvaluateCandidate
            | Self::DownloadWeights
            | Self::ConvertWeights
            | Self::ReplicateWeights
            | Self::DecryptWeights
            | Self::PresignWeights
            | Self::Promote
            | Self::RollBack
            | Self::QuarantineVersion
            | Self::SetProtectedAlias => &[ResourceKind::Version],
            Self::CreateExperiment
            | Self::UpdateExperiment
            | Self::DeleteExperiment
            | Self::CreateRun
            | Self::UpdateRun
            | Self::DeleteRun
            | Self::LogMetrics
            | Self::LogInputs
            | Self::LogArtifact
            | Self::IngestTraces
            | Self::RegisterModel => &[ResourceKind::Project],
            Self::UpdateModel
            | Self::RenameModel
            | Self::DeleteModel
            | Self::CreateVersion
            | Self::SetAlias
            | Self::ProposeTraining
            | Self::LaunchTraining
            | Self::CancelTraining
            | Self::ReadTrainingLogs
            | Self::RegisterCandidate => &[ResourceKind::Model],
            Self::GrantAccess
            | Self::RevokeAccess
            | Self::SetLock
            | Self::LiftLock
            | Self::ReadAccess
            | Self::ExplainOthers => &[
                ResourceKind::Platform,
                ResourceKind::Project,
                ResourceKind::Model,
                ResourceKind::Version,
                ResourceKind::Endpoint,
                ResourceKind::Dataset,
            ],
            Self::Classify | Self::DowngradeClassification => &[ResourceKind::Model, ResourceKind::Dataset],
            Self::AdministerUpstream => &[ResourceKind::Platform, ResourceKind::Endpoint],
        }
    }

    /// What it does, to follow "may" in a sentence.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::SignIn => "prove who one is",
            Self::ReadSelf => "see one's own account, sessions and grants",
            Self::ExplainOwn => "see why one's own request was decided as it was",
            Self::FileRequest => "ask for a grant",
            Self::DropGrant => "give back a grant one holds",
            Self::EndSession => "end a session of one's own",
            Self::ListModels => "see that models exist",
            Self::ReadCard => "read a model card",
            Self::ReadMetrics => "read metrics and evaluations",
            Self::ReadDashboards => "read dashboards",
            Self::ReadLineage => "read where a version came from",
            Self::ReadAggregateStats => "read aggregate statistics of features",
            Self::ReadDrift => "read drift reports",
            Self::ReadVersion => "read a version's metadata and digest",
            Self::ReadServing => "read a served model's signature and readiness",
            Self::ReadEndpoint => "read an endpoint's description",
            Self::ReadDatasetSchema => "read the columns of a dataset and their classes",
            Self::ReadDatasetAggregate => "read masked aggregates of a dataset",
            Self::ReadNonWeightArtifact => "read an artifact that holds no weights, such as requirements",
            Self::Predict => "ask a model for a prediction",
            Self::PredictStream => "ask for a prediction that arrives in parts",
            Self::PredictBatch => "ask for many predictions in one job",
            Self::Moderate => "ask a moderation model for its verdict",
            Self::CountTokens => "ask how long an input is to the model",
            Self::WatchDrift => "watch the drift of a model one uses",
            Self::ReadLogprobs => "see log probabilities",
            Self::ReadRawScores => "see the numbers behind a label",
            Self::Embed => "get vectors that stand for an input",
            Self::ExplainPrediction => "see attributions of a prediction",
            Self::ReadHiddenStates => "see intermediate representations",
            Self::ReadTokens => "see token ids",
            Self::ControlSampling => "steer the sampler, such as by a logit bias",
            Self::CreateExperiment => "create an experiment",
            Self::UpdateExperiment => "change an experiment",
            Self::DeleteExperiment => "delete an experiment",
            Self::CreateRun => "start a tracked run",
            Self::UpdateRun => "change a tracked run",
            Self::DeleteRun => "delete a tracked run",
            Self::LogMetrics => "log metrics and parameters",
            Self::LogInputs => "log the datasets of a run",
            Self::LogArtifact => "log an artifact of a run",
            Self::IngestTraces => "send traces",
            Self::RegisterModel => "register a model",
            Self::UpdateModel => "change a model's description",
            Self::RenameModel => "rename a model",
            Self::DeleteModel => "delete a model",
            Self::CreateVersion => "register a version",
            Self::UpdateVersion => "change a version's description",
            Self::DeleteVersion => "delete a version",
            Self::TagModel => "tag a model or version",
            Self::SetAlias => "move an unprotected alias",
            Self::LinkProvenance => "state what a version came from",
            Self::UploadArtifact => "upload an artifact of a version that is not ready yet",
            Self::ProposeTraining => "propose a training run",
            Self::LaunchTraining => "launch an approved training run",
            Self::CancelTraining => "cancel a training run",
            Self::ReadTrainingLogs => "read the logs of a training run",
            Self::UseBaseWeights => "use base weights inside the sandbox",
            Self::UseDatasetForTraining => "use a dataset inside the sandbox",
            Self::UploadTrainingData => "upload training data",
            Self::EvaluateCandidate => "evaluate a candidate",
            Self::RegisterCandidate => "register what a training run made",
            Self::DownloadWeights => "download weights",
            Self::ConvertWeights => "convert weights to another form",
            Self::ReplicateWeights => "copy weights to another store",
            Self::DecryptWeights => "decrypt sealed weights",
            Self::PresignWeights => "make a link that bypasses the gateway",
            Self::ReadRawRows => "read rows of a dataset",
            Self::ReadTrainingRows => "read rows a model was trained on",
            Self::ReadTraces => "read recorded inputs and outputs",
            Self::ReadStoredPrompts => "read prompts and answers somebody stored",
            Self::DownloadDataset => "download a dataset",
            Self::Promote => "promote a version",
            Self::RollBack => "return to an earlier version",
            Self::SetProtectedAlias => "point a protected alias to a version",
            Self::DeployEndpoint => "put a version behind an endpoint",
            Self::UndeployEndpoint => "take a version from an endpoint",
            Self::LoadModel => "load a model into a server",
            Self::UnloadModel => "unload a model from a server",
            Self::LoadAdapter => "load an adapter onto a served model",
            Self::QuarantineVersion => "stop a version from being served",
            Self::ApplyInventory => "declare projects, models, endpoints and datasets",
            Self::ManagePeople => "enrol, change or deactivate people and machines",
            Self::ManageGroups => "change groups and their members",
            Self::GrantAccess => "give a grant",
            Self::RevokeAccess => "revoke a grant",
            Self::ApproveRequest => "approve or refuse a request",
            Self::SetLock => "lock a thing",
            Self::LiftLock => "lift a lock",
            Self::EndSessions => "end other people's sessions",
            Self::DecideReview => "decide an access review",
            Self::Classify => "raise a classification",
            Self::DowngradeClassification => "lower a classification",
            Self::AuthorPolicy => "propose policy",
            Self::ApprovePolicy => "approve policy",
            Self::ActivatePolicy => "activate policy",
            Self::ManageKeys => "rotate and revoke keys",
            Self::UseBreakGlass => "use emergency access",
            Self::RunPlaybook => "run an incident playbook",
            Self::DrillPlaybook => "rehearse an incident playbook",
            Self::AdministerUpstream => "administer a model server or registry",
            Self::ReadConfiguration => "read the running configuration",
            Self::ReadDecisions => "read decisions about other people",
            Self::ReadLedger => "read ledger entries",
            Self::ExportLedger => "export ledger entries and evidence",
            Self::ReadMatrix => "read the permission matrix",
            Self::ReadAccess => "ask who may do what",
            Self::ExplainOthers => "see why other people's requests were decided as they were",
            Self::ReplayDecision => "re-evaluate a recorded decision",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| UnknownAction(text.chars().take(64).collect()))
    }
}

impl FromStr for Privilege {
    type Err = UnknownPrivilege;

    fn from_str(text: &str) -> Result<Self, UnknownPrivilege> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| UnknownPrivilege(text.chars().take(64).collect()))
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for Privilege {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Privilege {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
