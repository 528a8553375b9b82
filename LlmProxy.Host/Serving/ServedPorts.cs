namespace LlmProxy.Host.Serving;

/// <summary>Tells the API's connections from those of the admin listener.</summary>
internal sealed class ServedPorts(bool apiIsLoopback, int? adminPort)
{
    private int _adminPort = adminPort ?? -1;

    public bool HasAdmin => adminPort is not null;

    public bool IsAdmin(HttpContext http) => http.Connection.LocalPort == Volatile.Read(ref _adminPort);

    public bool ServesMetrics(HttpContext http) => apiIsLoopback || IsAdmin(http);

    /// <summary>For an admin address that left the port open: the one it got.</summary>
    public void SetAdmin(int port) => Volatile.Write(ref _adminPort, port);
}
