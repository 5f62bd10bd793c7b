from django.contrib.admin.apps import AdminConfig


class TenantAdminConfig(AdminConfig):
    """Django admin with the product's own site (stellapromote.web.admin_site) as the default one."""

    default_site = "stellapromote.web.admin_site.TenantAdminSite"
