//! A logistic regression that tells malignant from benign samples, in two versions.

use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

use crate::dataset::{self, Diagnosis, FEATURES, MEANS};
use crate::random::Random;

/// Decides which rows are held out. Fixed, so that the reported accuracy is the same on every machine.
const SPLIT_SEED: u64 = 1995;

/// Strength of the L2 penalty, on standardised measurements.
const PENALTY: f64 = 1.0;

/// Trained versions of one model.
#[derive(Debug)]
pub struct Classifier {
    versions: Vec<Version>,
}

#[derive(Debug)]
struct Version {
    name: &'static str,
    scales: Vec<Scale>,
    weights: Vec<f64>,
    offset: f64,
    report: Report,
}

#[derive(Debug, Clone, Copy)]
struct Scale {
    mean: f64,
    deviation: f64,
}

/// How a version did on rows that it never saw while it was trained.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    pub version: String,
    /// How many of the thirty measurements the version reads, from the left.
    pub measurements: usize,
    pub rows_trained: usize,
    pub rows_held_out: usize,
    /// Share of held-out rows labelled correctly, 0 to 1.
    pub accuracy: f64,
    /// Malignant rows called benign.
    pub missed: usize,
    /// Benign rows called malignant.
    pub false_alarms: usize,
}

/// What the model says about one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Weighted sum of the standardised measurements; positive points to malignant. The model's raw score.
    pub margin: f64,
    /// Probability of malignant, 0 to 1.
    pub probability: f64,
    pub label: Diagnosis,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to train version `{version}`: {reason}")]
pub struct TrainError {
    version: &'static str,
    reason: String,
}

impl Classifier {
    /// Version `1` reads the ten means; version `2`, the one served by default, all thirty measurements.
    pub fn train() -> Result<Self, TrainError> {
        let mut samples: Vec<Sample> = dataset::rows()
            .into_iter()
            .map(|row| Sample {
                features: row.features.into_iter().map(f64::from).collect(),
                diagnosis: row.diagnosis,
            })
            .collect();
        Random::new(SPLIT_SEED).shuffle(&mut samples);
        let (held_out, training) = samples.split_at(samples.len() / 5);
        let versions = vec![
            Version::train("1", MEANS, training, held_out)?,
            Version::train("2", FEATURES, training, held_out)?,
        ];
        Ok(Self { versions })
    }

    /// Names of the versions, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &'static str> {
        self.versions.iter().map(|version| version.name)
    }

    /// The version that answers when a request names none.
    pub fn default_version(&self) -> &'static str {
        self.versions.last().map_or("", |version| version.name)
    }

    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.versions.iter().map(|version| &version.report)
    }

    /// Scores one row of [`FEATURES`] measurements; `None` for a version that does not exist.
    pub fn score(&self, version: &str, features: &[f64]) -> Option<Scored> {
        let version = self.versions.iter().find(|known| known.name == version)?;
        Some(version.score(features))
    }
}

struct Sample {
    features: Vec<f64>,
    diagnosis: Diagnosis,
}

impl Version {
    fn train(
        name: &'static str,
        measurements: usize,
        training: &[Sample],
        held_out: &[Sample],
    ) -> Result<Self, TrainError> {
        let failed = |error: &dyn ToString| TrainError { version: name, reason: error.to_string() };
        let scales: Vec<Scale> = (0..measurements).map(|column| scale(training, column)).collect();
        let inputs: Vec<Vec<f64>> =
            training.iter().map(|sample| standardise(&scales, &sample.features)).collect();
        let targets: Vec<u32> =
            training.iter().map(|sample| u32::from(sample.diagnosis == Diagnosis::Malignant)).collect();
        let inputs = DenseMatrix::from_2d_vec(&inputs).map_err(|error| failed(&error))?;
        let parameters = LogisticRegressionParameters::default().with_alpha(PENALTY);
        let fitted =
            LogisticRegression::fit(&inputs, &targets, parameters).map_err(|error| failed(&error))?;
        let mut trained = Self {
            name,
            scales,
            weights: fitted.coefficients().iterator(0).copied().collect(),
            offset: fitted.intercept().iterator(0).copied().sum(),
            report: Report {
                version: name.to_owned(),
                measurements,
                rows_trained: training.len(),
                rows_held_out: held_out.len(),
                accuracy: 0.0,
                missed: 0,
                false_alarms: 0,
            },
        };
        if !trained.weights.iter().all(|weight| weight.is_finite()) {
            return Err(failed(&"the weights did not converge"));
        }
        trained.evaluate(held_out);
        Ok(trained)
    }

    fn evaluate(&mut self, held_out: &[Sample]) {
        for sample in held_out {
            match (sample.diagnosis, self.score(&sample.features).label) {
                (Diagnosis::Malignant, Diagnosis::Benign) => self.report.missed += 1,
                (Diagnosis::Benign, Diagnosis::Malignant) => self.report.false_alarms += 1,
                (Diagnosis::Benign, Diagnosis::Benign) | (Diagnosis::Malignant, Diagnosis::Malignant) => {}
            }
        }
        let wrong = self.report.missed + self.report.false_alarms;
        self.report.accuracy = 1.0 - wrong as f64 / held_out.len().max(1) as f64;
    }

    fn score(&self, features: &[f64]) -> Scored {
        let standardised = standardise(&self.scales, features);
        let weighted: f64 =
            self.weights.iter().zip(&standardised).map(|(weight, value)| weight * value).sum();
        let margin = weighted + self.offset;
        let probability = 1.0 / (1.0 + (-margin).exp());
        let label = if margin > 0.0 { Diagnosis::Malignant } else { Diagnosis::Benign };
        Scored { margin, probability, label }
    }
}

/// Mean and deviation of one column over the training rows only: held-out rows must not leak into the model.
fn scale(training: &[Sample], column: usize) -> Scale {
    let values: Vec<f64> =
        training.iter().filter_map(|sample| sample.features.as_slice().get(column).copied()).collect();
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    Scale { mean, deviation: variance.sqrt().max(f64::EPSILON) }
}

fn standardise(scales: &[Scale], features: &[f64]) -> Vec<f64> {
    scales.iter().zip(features).map(|(scale, value)| (value - scale.mean) / scale.deviation).collect()
}
