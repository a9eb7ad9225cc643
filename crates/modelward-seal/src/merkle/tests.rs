use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use proptest::prelude::*;

use super::*;
use crate::Digest;

/// Every perfect node, kept the simplest way.
struct Nodes(Vec<Digest>);

impl NodeReader for Nodes {
    type Error = Infallible;
    fn node(&self, id: NodeId) -> Result<Digest, Infallible> {
        let begin = usize::try_from(id.index << id.level).unwrap();
        Ok(subtree_root(&self.0[begin..begin + (1 << id.level)]))
    }
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn leaves(size: u64) -> Vec<Digest> {
    (0..size).map(|index| leaf_hash(&entry(index))).collect()
}

const SIZES: u64 = 513;

#[test]
fn roots_agree_with_two_independent_trees_at_every_size() {
    let mut compact = CompactTree::new();
    let mut stack = TileStack::new();
    let mut oracle: MemoryBackedTree<sha2_of_ct_merkle::Sha256, Vec<u8>> = MemoryBackedTree::new();
    let mut azul: Vec<tlog_tiles::Hash> = Vec::new();
    assert_eq!(compact.root(), empty_root());
    for index in 0..SIZES {
        let leaf = leaf_hash(&entry(index));
        compact.push(leaf);
        stack.push(leaf, |_| {});
        oracle.push(entry(index));
        azul.extend(tlog_tiles::stored_hashes(index, &entry(index), &Stored(&azul)).unwrap());
        let root = compact.root();
        assert_eq!(stack.root(), root);
        assert_eq!(root.as_bytes(), oracle.root().as_bytes().as_slice());
        assert_eq!(root.as_bytes(), &tlog_tiles::tree_hash(index + 1, &Stored(&azul)).unwrap().0);
    }
}

struct Stored<'a>(&'a [tlog_tiles::Hash]);

impl tlog_tiles::HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn azul_nodes(size: u64) -> Vec<tlog_tiles::Hash> {
    let mut nodes = Vec::new();
    for index in 0..size {
        nodes.extend(tlog_tiles::stored_hashes(index, &entry(index), &Stored(&nodes)).unwrap());
    }
    nodes
}

fn raw(hashes: &[tlog_tiles::Hash]) -> Vec<Digest> {
    hashes.iter().map(|hash| Digest::from_bytes(hash.0)).collect()
}

fn ours(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

#[test]
fn inclusion_proofs_agree_with_the_oracles() {
    let nodes = Nodes(leaves(SIZES));
    let azul = azul_nodes(SIZES);
    for size in 1..=SIZES {
        let root = subtree_root(&nodes.0[..usize::try_from(size).unwrap()]);
        // Every index at small sizes and at the edges, a spread of them elsewhere.
        let step = if size <= 70 || size >= 512 { 1 } else { 17 };
        for index in (0..size).step_by(step).chain([size - 1]) {
            let proof = inclusion_proof(&nodes, index, size).unwrap();
            assert_eq!(proof, raw(&tlog_tiles::prove_record(size, index, &Stored(&azul)).unwrap()));
            let leaf = nodes.0[usize::try_from(index).unwrap()];
            assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));
            refuse_mutations(&proof, |proof| verify_inclusion(&leaf, index, size, proof, &root).is_err());
        }
    }
}

#[test]
fn consistency_proofs_agree_with_the_oracles() {
    let nodes = Nodes(leaves(SIZES));
    let azul = azul_nodes(SIZES);
    for new in 1..=SIZES {
        let new_root = subtree_root(&nodes.0[..usize::try_from(new).unwrap()]);
        let step = if new <= 70 || new >= 512 { 1 } else { 19 };
        for old in (1..=new).step_by(step) {
            let old_root = subtree_root(&nodes.0[..usize::try_from(old).unwrap()]);
            let proof = consistency_proof(&nodes, old, new).unwrap();
            assert_eq!(proof, raw(&tlog_tiles::prove_tree(new, old, &Stored(&azul)).unwrap()));
            assert_eq!(verify_consistency(old, new, &proof, &old_root, &new_root), Ok(()));
            refuse_mutations(&proof, |proof| {
                verify_consistency(old, new, proof, &old_root, &new_root).is_err()
            });
        }
    }
}

/// A proof with a hash changed, missing or added must be refused.
fn refuse_mutations(proof: &[Digest], refused: impl Fn(&[Digest]) -> bool) {
    let mut longer = proof.to_vec();
    longer.push(Digest::ZERO);
    assert!(refused(&longer));
    if let Some((_, shorter)) = proof.split_last() {
        assert!(refused(shorter));
        let mut changed = proof.to_vec();
        let middle = changed.len() / 2;
        changed[middle] = Digest::ZERO;
        assert!(refused(&changed));
    }
}

#[test]
fn ct_merkle_accepts_our_proofs() {
    let size = 300;
    let nodes = Nodes(leaves(size));
    let mut oracle: MemoryBackedTree<sha2_of_ct_merkle::Sha256, Vec<u8>> = MemoryBackedTree::new();
    (0..size).for_each(|index| oracle.push(entry(index)));
    for index in (0..size).step_by(7) {
        let proof = ours(&inclusion_proof(&nodes, index, size).unwrap());
        let proof = InclusionProof::<sha2_of_ct_merkle::Sha256>::from_bytes(proof);
        oracle.root().verify_inclusion(&entry(index), index, &proof).unwrap();
    }
    let mut older: MemoryBackedTree<sha2_of_ct_merkle::Sha256, Vec<u8>> = MemoryBackedTree::new();
    for old in 1..size {
        older.push(entry(old - 1));
        let proof = ours(&consistency_proof(&nodes, old, size).unwrap());
        let proof = ConsistencyProof::<sha2_of_ct_merkle::Sha256>::try_from_bytes(proof).unwrap();
        oracle.root().verify_consistency(&older.root(), &proof).unwrap();
    }
}

#[test]
fn tiles_give_every_node_back() {
    let size = 70_000_u64;
    let mut stack = TileStack::new();
    let mut compact = CompactTree::new();
    let mut tiles = std::collections::HashMap::new();
    for index in 0..size {
        let leaf = leaf_hash(&index.to_be_bytes());
        compact.push(leaf);
        stack.push(leaf, |tile| {
            tiles.insert((tile.level, tile.index), tile.hashes);
        });
        if index == 65_535 {
            let again =
                TileStack::at(65_536, |level, index| Ok::<_, Infallible>(tiles[&(level, index)].clone()));
            assert_eq!(again.unwrap(), stack);
        }
    }
    assert_eq!(stack.root(), compact.root());
    let paths: Vec<String> = stack.partials().map(|(path, _)| path.to_string()).collect();
    assert_eq!(paths, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
    for (path, hashes) in stack.partials() {
        let TilePath::Hashes { level, index, .. } = path else { panic!("{path}") };
        tiles.insert((level, index), hashes.to_vec());
    }
    let nodes = TileNodes::new(size, |path: TilePath| {
        let TilePath::Hashes { level, index, width } = path else { panic!("{path}") };
        let hashes = tiles[&(level, index)].clone();
        assert_eq!(hashes.len(), usize::from(width));
        Ok::<_, Infallible>(hashes)
    });
    assert_eq!(CompactTree::at(size, &nodes).unwrap(), compact);
    for index in [0, 1, 255, 256, 65_535, 65_536, 69_999] {
        let proof = inclusion_proof(&nodes, index, size).unwrap();
        let leaf = leaf_hash(&index.to_be_bytes());
        assert_eq!(verify_inclusion(&leaf, index, size, &proof, &compact.root()), Ok(()));
    }
}

#[test]
fn paths_follow_tlog_tiles() {
    let full = TilePath::Hashes { level: 3, index: 1_234_067, width: 256 };
    assert_eq!(full.to_string(), "tile/3/x001/x234/067");
    assert_eq!("tile/entries/000.p/255".parse(), Ok(TilePath::Entries { index: 0, width: 255 }));
    for bad in [
        "",
        "/checkpoint",
        "tile/3",
        "tile/64/000",
        "tile/03/000",
        "tile/0/1",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/x001",
        "tile/0/../../secret",
        "tile/entries/000.p/1/",
        "tile/0/+01",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/0/000.p/",
    ] {
        assert!(bad.parse::<TilePath>().is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn large_trees_prove_what_they_hold(size in 1_u64..5_000, pick in any::<u64>(), other in any::<u64>()) {
        let nodes = Nodes(leaves(size));
        let root = subtree_root(&nodes.0);
        let index = pick % size;
        let proof = inclusion_proof(&nodes, index, size).unwrap();
        let leaf = nodes.0[usize::try_from(index).unwrap()];
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));
        prop_assert!(verify_inclusion(&leaf, (index + 1) % size.max(2), size, &proof, &root).is_err() || size == 1);
        let old = other % size + 1;
        let old_root = subtree_root(&nodes.0[..usize::try_from(old).unwrap()]);
        let proof = consistency_proof(&nodes, old, size).unwrap();
        prop_assert_eq!(verify_consistency(old, size, &proof, &old_root, &root), Ok(()));
    }

    #[test]
    fn no_proof_makes_the_verifier_panic(
        a in any::<u64>(), b in any::<u64>(), length in 0_usize..70, seed in any::<[u8; 32]>(),
    ) {
        let proof = vec![Digest::from_bytes(seed); length];
        let hash = Digest::of(&seed);
        prop_assert!(verify_inclusion(&hash, a, b, &proof, &Digest::ZERO).is_err());
        prop_assert!(verify_consistency(a, b, &proof, &hash, &Digest::ZERO).is_err());
    }

    #[test]
    fn every_path_parses_back(level in 0_u8..64, index in any::<u64>(), width in 1_u16..=256) {
        for path in [TilePath::Hashes { level, index, width }, TilePath::Entries { index, width }] {
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }
    }

    #[test]
    fn no_path_makes_the_parser_panic(path in "[tile/entriesx0-9.p]{0,40}") {
        let _outcome = path.parse::<TilePath>();
    }
}
