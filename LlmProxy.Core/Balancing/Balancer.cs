using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Balancing;

/// <summary>Which target now? The front door of the sixth stage. It takes the first that serves the operation.</summary>
internal static class Balancer
{
    /// <returns>Null if none of the route's targets serves the operation, or not at the upstream that it must be.</returns>
    public static Target? Pick(in RouteMatch match, Operations operation)
    {
        foreach (var target in match.Route.Targets)
        {
            if (target.Serves(operation, match.Star) && (match.Keeper is null || match.Keeper == target.Upstream.Name))
            {
                return target;
            }
        }

        return null;
    }
}
