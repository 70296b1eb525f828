package lakehouse

import scala.collection.mutable

import org.apache.spark.SparkContext
import org.apache.spark.scheduler.{SparkListener, SparkListenerEvent, SparkListenerJobEnd, SparkListenerJobStart}
import org.apache.spark.sql.connect.service.{SparkListenerConnectOperationCanceled, SparkListenerConnectSessionClosed}

/** Cancels every job of operations that were cancelled or whose session was closed, also one that starts later. */
class Orphans extends SparkListener {
  private val Prefix = "SparkConnect_OperationTag_User_"
  private val Remembered = 10000
  private val running = mutable.Map.empty[Int, Seq[String]]
  private val ended = mutable.LinkedHashSet.empty[String]

  override def onJobStart(job: SparkListenerJobStart): Unit = {
    val tags = Option(job.properties).flatMap(all => Option(all.getProperty("spark.job.tags"))).getOrElse("")
    val operations = tags.split(',').toSeq.filter(_.startsWith(Prefix))
    if (orphaned(operations)) cancel(job.jobId)
    else if (operations.nonEmpty) running(job.jobId) = operations
  }

  override def onJobEnd(job: SparkListenerJobEnd): Unit = running -= job.jobId

  override def onOtherEvent(event: SparkListenerEvent): Unit = event match {
    case operation: SparkListenerConnectOperationCanceled => end(operation.jobTag)
    case closed: SparkListenerConnectSessionClosed => end(s"$Prefix${closed.userId}_Session_${closed.sessionId}")
    case _ =>
  }

  private def end(owner: String): Unit = {
    ended += owner
    if (ended.size > Remembered) ended -= ended.head
    running.foreach { case (job, operations) => if (orphaned(operations)) cancel(job) }
  }

  /** All of them: a thread of Spark's own may carry another operation's tag beside that of whom it works for. */
  private def orphaned(operations: Seq[String]): Boolean =
    operations.nonEmpty && operations.forall(tag => ended(tag) || ended(tag.substring(0, tag.lastIndexOf("_Operation_").max(0))))

  private def cancel(job: Int): Unit =
    SparkContext.getOrCreate().cancelJob(job, "its operation was cancelled or its session closed")
}
