//! The part of the database that is an index of Git, and can be built anew.

use super::statement::Statement;
use super::{Error, FleetName, Tx};

impl Tx {
    /// Deletes what the index has of a fleet: its apps with their settings and placements, its changes that have a commit,
    /// deployments, repairs, and what the audit trail has out of Git. Changes that were accepted and not made yet, people,
    /// tokens, alerts and the rest of the audit trail stay: Git does not know of them.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn reset_index(&mut self, fleet: &FleetName) -> Result<(), Error> {
        // A deployment may be of an app that has left the fleet, and so may a repair: both are found by their change too.
        let of_apps = "app_id IN (SELECT id FROM apps WHERE fleet = ";
        let of_changes = ") OR change_id IN (SELECT id FROM changes WHERE fleet = ";
        for table in ["DELETE FROM deployments WHERE ", "DELETE FROM repair_logs WHERE "] {
            let statement = Statement::new(table).sql(of_apps).arg(fleet).sql(of_changes).arg(fleet).sql(")");
            statement.run(self.on()).await?;
        }
        let rest = [
            "DELETE FROM changes WHERE commit_sha IS NOT NULL AND fleet = ",
            "DELETE FROM apps WHERE fleet = ",
            "DELETE FROM audit_logs WHERE source = 'git' AND fleet = ",
        ];
        for sql in rest {
            Statement::new(sql).arg(fleet).run(self.on()).await?;
        }
        Ok(())
    }
}
