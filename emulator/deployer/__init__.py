"""Deploys an unchanged Pulumi program to the emulator, in this process or with Pulumi's engine."""
