"""Physical parameters turned into a linear device and into a Hamiltonian."""
