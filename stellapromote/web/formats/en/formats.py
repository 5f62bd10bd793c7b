"""The form of instants in the English Django admin: as `stellapromote.web.times.absolute_words`, with the zone."""

DATETIME_FORMAT = "D j M Y H:i:s e"
