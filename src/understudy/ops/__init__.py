"""Equations: arrays in, arrays and their gradients out, each with its paper."""
