"""How Django admin writes instants in English: as `stellapromote.web.times.absolute_words` does, with the zone."""

DATETIME_FORMAT = "D j M Y H:i:s e"
