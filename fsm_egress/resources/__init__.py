"""Every kind of document that is read, as a frozen class whose fields are checked."""
