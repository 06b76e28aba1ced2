"""What the corpus does not say about the development server: kills, full disks, attacks, leaks."""
