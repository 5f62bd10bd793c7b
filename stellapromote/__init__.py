"""StellaPromote: promotions of releases between environments, approved by people and decided by signed rules."""

VERSION = "0.2.0"
