"""Block-level power cuts: a guest of QEMU works on a real ext4, its writes are logged, and each cut is mounted."""
