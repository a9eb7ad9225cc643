//! The measurements, and invented people to go with them.
//!
//! The thirty measurements and the diagnosis of each row are the public Breast Cancer Wisconsin (Diagnostic) data
//! (Wolberg, Street, Mangasarian; UCI Machine Learning Repository) as shipped in the `smartcore` crate. The
//! identity columns are generated here from the row number, are marked as synthetic in every value, and stand for
//! the kind of column that must not leave a ward.

use std::fmt::Write as _;

use crate::random::{Random, mix};

/// Measurements per row.
pub const FEATURES: usize = 30;

/// The first ten measurements: the means. The rest are their standard errors and worst values.
pub const MEANS: usize = 10;

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Invented; see [`Identity`].
    pub identity: Identity,
    /// [`FEATURES`] values in the order of [`feature_names`].
    pub features: Vec<f32>,
    pub diagnosis: Diagnosis,
}

/// An invented person. Every value says that it is synthetic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `SYN-` and six digits.
    pub patient_id: String,
    /// A made-up name followed by `(synthetic)`.
    pub patient_name: String,
    /// `SYN-` and a year.
    pub birth_year: String,
    /// `SYN-` and a postcode area that does not exist.
    pub postcode: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Diagnosis {
    Benign,
    Malignant,
}

impl Diagnosis {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Malignant => "malignant",
        }
    }
}

/// Names of the columns of [`to_csv`] that identify an (invented) person.
pub const IDENTITY_COLUMNS: [&str; 4] = ["patient_id", "patient_name", "birth_year", "postcode"];

/// Names of the measurements: `mean radius` … `worst fractal dimension`, with underscores.
pub fn feature_names() -> Vec<String> {
    smartcore::dataset::breast_cancer::load_dataset()
        .feature_names
        .iter()
        .map(|name| name.replace(' ', "_"))
        .collect()
}

/// All 569 rows, in the order of the source.
pub fn rows() -> Vec<Row> {
    let source = smartcore::dataset::breast_cancer::load_dataset();
    source
        .data
        .chunks_exact(FEATURES)
        .zip(&source.target)
        .zip(1_u64..)
        .map(|((features, target), number)| Row {
            identity: identity(number),
            features: features.to_vec(),
            // The source writes 0 for malignant and 1 for benign.
            diagnosis: if *target == 0 { Diagnosis::Malignant } else { Diagnosis::Benign },
        })
        .collect()
}

/// The whole table with a header line: identity columns, measurements, `diagnosis`.
pub fn to_csv() -> String {
    let mut csv = IDENTITY_COLUMNS.join(",");
    for name in feature_names() {
        csv.push(',');
        csv.push_str(&name);
    }
    csv.push_str(",diagnosis\n");
    for row in rows() {
        let Identity { patient_id, patient_name, birth_year, postcode } = &row.identity;
        csv.push_str(&[patient_id.as_str(), patient_name, birth_year, postcode].join(","));
        for value in &row.features {
            // Writing to a string cannot fail.
            let _written = write!(csv, ",{value}");
        }
        csv.push(',');
        csv.push_str(row.diagnosis.as_str());
        csv.push('\n');
    }
    csv
}

const GIVEN: [&str; 16] = [
    "Alder", "Birch", "Cedar", "Clover", "Fern", "Hazel", "Heather", "Iris", "Juniper", "Laurel", "Linden",
    "Maple", "Olive", "Rowan", "Sorrel", "Willow",
];
const FAMILY: [&str; 16] = [
    "Brook", "Cliff", "Dale", "Dune", "Fjord", "Glen", "Grove", "Heath", "Inlet", "Knoll", "Marsh", "Meadow",
    "Moor", "Ridge", "Shore", "Vale",
];

fn identity(number: u64) -> Identity {
    let mut random = Random::new(mix(number));
    let mut pick = |names: &[&'static str]| names.get(random.below(names.len())).copied().unwrap_or_default();
    let (given, family) = (pick(&GIVEN), pick(&FAMILY));
    Identity {
        patient_id: format!("SYN-{number:06}"),
        patient_name: format!("{given} {family} (synthetic)"),
        birth_year: format!("SYN-{}", 1930 + random.below(60)),
        postcode: format!("SYN-{:03}", random.below(40)),
    }
}
